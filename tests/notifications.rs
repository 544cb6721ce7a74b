//! A request without an id is executed and never answered.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, events_of, uuid};

fn notification(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

#[test]
fn a_notification_is_executed_in_its_turn_and_not_answered() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = uuid();
    client
        .send_line(&notification("order.place", &json!({"order_id": order, "customer_id": uuid(), "total_amount": 7})));
    client.send_line(&notification("order.complete", &json!({"order_id": order})));
    client.send_line(&notification("order.cancel", &json!({"order_id": order, "reason": "late"})));
    // The next line that comes is the answer to this, or the notifications were answered.
    let got = client.result("order.get", json!({"order_id": order}));
    assert_eq!(got["order"]["version"], 3);
    assert_eq!(got["order"]["status"], "cancelled");
    let types: Vec<Value> = events_of(&store, 3).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["OrderPlaced", "OrderCompleted", "OrderCancelled"]);
}

#[test]
fn a_notification_that_is_refused_stays_unanswered() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    client.send_line(&notification("order.get", &json!({"order_id": order})));
    client.send_line(&notification("daemon.status", &json!({})));
    client.send_line(&notification("no.such.method", &json!({})));
    client.send_line(&notification("order.complete", &json!({"order_id": uuid()})));
    client.send_line(&notification("order.complete", &json!({"order_id": order, "extra": 1})));
    client.send_line(&notification("order.place", &json!({"customer_id": "nobody", "total_amount": -1})));
    client.send_line(&notification("order.place", &json!([])));
    let status = client.status();
    assert_eq!(status["orders"]["count"], 1);
    assert_eq!(status["outbox"]["last_sequence"], 1);
}

#[test]
fn an_id_of_null_is_a_request_and_is_answered() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let answer = client.ask(r#"{"jsonrpc":"2.0","id":null,"method":"daemon.status"}"#);
    assert_eq!(answer["id"], Value::Null);
    assert_eq!(answer["result"]["state"], "ready");
}
