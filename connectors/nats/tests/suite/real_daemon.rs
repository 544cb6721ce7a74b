//! What the real daemon makes of the connector's answers.

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Config;
use orderd_sink_testing::{Program, RealDaemon, eventually};
use serde_json::json;

use crate::setup::{BINARY, Nats, orders};

fn admin() -> ConnectOptions {
    ConnectOptions::new().user_and_password("admin".to_owned(), "admin".to_owned())
}

#[test]
fn a_wrong_password_parks_nothing_and_an_event_that_is_too_large_parks_its_order_alone() {
    let daemon = RealDaemon::start("");
    let users = "authorization { users: [ { user: orderd, password: right }, { user: admin, password: admin } ] }";
    let nats = Nats::with(daemon.dir(), users);
    let context = nats.context_as(admin());
    nats.create_stream_as(&context, Config { max_message_size: 4_000, ..orders() });
    let password = daemon.dir().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let keys = nats.keys() + "user = \"orderd\"\npassword_file = \"password\"\n";
    let _connector = Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &keys, &[]);
    daemon.work(20);
    let place = json!({"customer_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "total_amount": 1,
        "metadata": {"note": "x".repeat(5_000)}});
    let order = daemon.call("order.place", &place)["order"]["order_id"].clone();
    let _completed = daemon.call("order.complete", &json!({"order_id": order}));
    daemon.work(20);
    eventually("a blocked sink", || (daemon.sink()["state"] == "blocked").then_some(()));
    assert_eq!(daemon.sink()["parked_lanes"], 0);
    std::fs::write(&password, "right\n").unwrap();
    daemon.wait_settled();
    let sink = daemon.sink();
    assert_eq!((&sink["parked_lanes"], &sink["parked_events"]), (&json!(1), &json!(2)), "{sink}");
    assert_eq!(nats.stored_as(&context).len(), 120);
}
