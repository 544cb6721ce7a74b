//! How long a line may be, and how long it may take.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, assert_error, eventually, request, uuid};

/// A status request of exactly this many bytes, its line end not counted.
fn line_of(bytes: usize) -> String {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status"}"#;
    format!("{line}{}", " ".repeat(bytes - line.len()))
}

#[track_caller]
fn is_too_long_and_closes(client: &mut Client) {
    let answer = client.read_answer();
    assert_eq!(answer["id"], Value::Null);
    assert_error(&answer["error"], 1105, "line_too_long");
    assert!(client.is_closed(), "the connection closes after line_too_long");
}

#[track_caller]
fn holds_the_limit(store: &Store, limit: usize) {
    let _daemon = Daemon::start(store);
    let mut client = Client::connect(store);
    for bytes in [limit - 1, limit] {
        assert_eq!(client.ask(&line_of(bytes))["result"]["state"], "ready", "a line of {bytes} bytes");
    }
    client.try_send_raw(format!("{}\n", line_of(limit + 1))).ok();
    is_too_long_and_closes(&mut client);

    // A line without an end is refused as soon as it is too long, not when it ends.
    let mut client = Client::connect(store);
    client.try_send_raw("x".repeat(limit + 1)).ok();
    is_too_long_and_closes(&mut client);
    assert_eq!(Client::connect(store).status()["state"], "ready");
}

#[test]
fn a_line_of_the_default_limit_is_taken_and_one_byte_more_is_not() {
    holds_the_limit(&Store::new(), 32_768);
}

#[test]
fn a_line_of_the_configured_limit_is_taken_and_one_byte_more_is_not() {
    holds_the_limit(&Store::with("", "[server]\nline_bytes_max = 4096\n"), 4096);
}

#[test]
fn what_came_before_a_line_too_long_is_answered_and_what_comes_after_is_not_executed() {
    let store = Store::with("", "[server]\nline_bytes_max = 4096\n");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (before, after) = (uuid(), uuid());
    let place = |id: u32, order: &str| {
        request(&json!(id), "order.place", &json!({"order_id": order, "customer_id": uuid(), "total_amount": 1}))
    };
    client.try_send_raw(format!("{}\n{}\n{}\n", place(1, &before), line_of(5000), place(2, &after))).ok();
    let first = client.read_answer();
    assert_eq!((&first["id"], &first["result"]["order"]["order_id"]), (&json!(1), &json!(before)));
    is_too_long_and_closes(&mut client);
    let mut client = Client::connect(&store);
    assert_eq!(client.status()["orders"]["count"], 1);
    assert_error(&client.call("order.get", json!({"order_id": after})).unwrap_err(), 1001, "order_not_found");
}

#[test]
fn a_last_line_without_its_end_is_not_executed() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (whole, cut) = (uuid(), uuid());
    let place = |order: &str| {
        request(&json!(1), "order.place", &json!({"order_id": order, "customer_id": uuid(), "total_amount": 1}))
    };
    client.send_raw(format!("{}\n{}", place(&whole), place(&cut)));
    client.finish();
    assert_eq!(client.read_answer()["result"]["order"]["order_id"], whole);
    assert!(client.is_closed(), "nothing is said about half a line, and the connection ends");
    let mut client = Client::connect(&store);
    assert_error(&client.call("order.get", json!({"order_id": cut})).unwrap_err(), 1001, "order_not_found");
    assert_eq!(client.status()["orders"]["count"], 1);
}

#[test]
fn a_client_that_has_finished_sending_still_gets_every_answer() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let lines: Vec<String> = (0..500)
        .map(|id| request(&json!(id), "order.place", &json!({"customer_id": uuid(), "total_amount": id})))
        .collect();
    client.send_raw(format!("{}\n", lines.join("\n")));
    client.finish();
    for id in 0..500 {
        let answer = client.read_answer();
        assert_eq!((&answer["id"], &answer["result"]["order"]["total_amount"]), (&json!(id), &json!(id)));
    }
    assert!(client.is_closed());
}

#[test]
fn half_a_line_may_not_wait_for_ever() {
    let store = Store::with("", "[server]\nline_ms_max = 300\n");
    let _daemon = Daemon::start(&store);
    let mut patient = Client::connect(&store);
    let mut half = Client::connect(&store);
    let start = Instant::now();
    half.send_raw(r#"{"jsonrpc":"2.0","#);
    half.try_read_line().ok();
    assert!(start.elapsed() >= Duration::from_millis(250), "closed after {:?}", start.elapsed());
    assert!(half.is_closed());
    // A connection that has said nothing has not said half a line.
    assert_eq!(patient.status()["state"], "ready");
}

#[test]
fn a_connection_that_says_nothing_is_closed_in_time() {
    let store = Store::with("", "[server]\nidle_ms_max = 300\n");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    assert_eq!(client.status()["state"], "ready");
    let start = Instant::now();
    client.try_read_line().ok();
    assert!(start.elapsed() >= Duration::from_millis(250), "closed after {:?}", start.elapsed());
    eventually(DEADLINE, "only the asking connection is left", || Client::connect(&store).status()["connections"] == 1);
}
