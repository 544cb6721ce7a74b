//! A copy of the store of a stopped daemon is a whole backup.

use serde_json::json;

use crate::support::{Client, Daemon, Store, copy_tree, events_of, orderd, uuid};

#[test]
fn a_copy_made_while_stopped_serves_everything() {
    let store = Store::with("", "[checkpoint]\nplans = 20\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let command = json!({"customer_id": uuid(), "total_amount": 1, "command_id": uuid()});
    let mut first = client.result("order.place", command.clone());
    let orders: Vec<String> = (0..50).map(|amount| client.place(amount)).collect();
    let answers: Vec<_> =
        orders.iter().map(|order| client.result("order.complete", json!({"order_id": order}))).collect();
    events_of(&store, 101);
    daemon.stop();

    let copy = Store::new();
    copy_tree(&store.data_dir(), &copy.data_dir());
    orderd(&copy, &["verify"]).expect(0);
    let _original = Daemon::start(&store);
    let _copy = Daemon::start(&copy);
    let mut client = Client::connect(&copy);
    for (order, answer) in orders.iter().zip(&answers) {
        assert_eq!(client.result("order.get", json!({"order_id": order}))["order"], answer["order"]);
    }
    first["duplicate"] = json!(true);
    assert_eq!(client.result("order.place", command), first, "command ids are in the backup");
    client.place(1);
    // The cursor is in the backup as well: only what is new is delivered.
    assert_eq!(events_of(&copy, 1)[0]["sequence"], format!("{:020}", 102));
    assert_eq!(client.status()["orders"]["count"], 52);
}
