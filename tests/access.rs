//! `allowed_uids`: who is not on the list gets `permission_denied` and nothing else.

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, assert_error, orderd, poll, request, uuid};

#[test]
fn who_is_not_allowed_is_refused_and_nothing_is_executed() {
    let me = rustix::process::geteuid().as_raw();
    let store = Store::with(&format!("allowed_uids = [{}]", me + 1), "");
    let daemon = Daemon::spawn(&store);
    // Readiness cannot be asked for from outside here: the refusal itself is the sign of life.
    let mut client = poll(DEADLINE, || Client::try_connect(&store.socket()).ok()).expect("the socket opens");
    let place = json!({"customer_id": uuid(), "total_amount": 1});
    client.try_send_raw(request(&json!(1), "order.place", &place) + "\n").ok();
    let answer = client.read_answer();
    assert!(answer["id"] == Value::Null || answer["id"] == 1, "{answer}");
    assert_error(&answer["error"], 1104, "permission_denied");
    let run = orderd(&store, &["get", &uuid()]).expect(77);
    assert!(!run.stderr.trim().is_empty());
    assert_eq!(run.stdout, "");
    drop(daemon);
    let dump = orderd(&store, &["dump"]).expect(0).stdout;
    assert!(!dump.contains("\"order\":"), "nothing was executed: {dump}");
}

#[test]
fn who_is_on_the_list_is_served() {
    let me = rustix::process::geteuid().as_raw();
    let store = Store::with(&format!("allowed_uids = [4000000, {me}]"), "");
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
}

#[test]
fn a_connection_beyond_the_limit_is_told_and_the_others_go_on() {
    let store = Store::with("", "[server]\nconnections_max = 3\n");
    let _daemon = Daemon::start(&store);
    // The probe of the start has gone: its place is free again.
    let mut client = Client::connect(&store);
    crate::support::eventually(DEADLINE, "one connection", || client.status()["connections"] == 1);
    let mut others: Vec<Client> = (0..2).map(|_| Client::connect(&store)).collect();
    for other in &mut others {
        other.status();
    }
    let mut refused = Client::connect(&store);
    let answer = refused.read_answer();
    assert_eq!(answer["id"], Value::Null);
    assert_error(&answer["error"], 1101, "overloaded");
    assert!(refused.is_closed());
    for other in &mut others {
        assert_eq!(other.status()["connections"], 3);
    }
    drop(others);
    crate::support::eventually(DEADLINE, "room for another", || {
        Client::try_connect(&store.socket()).ok().and_then(|mut another| another.try_status()).is_some()
    });
    assert_eq!(client.status()["state"], "ready");
}
