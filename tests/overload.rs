//! Too many commands at once are refused with `overloaded`, and a stopping daemon refuses with `shutting_down`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, assert_error, error_kind, place_params, poll, request, uuid};

/// Sends all of these in one thread while reading in another; the answers in order.
fn exchange(client: &mut Client, lines: &[String]) -> Vec<Value> {
    let bytes = lines.join("\n") + "\n";
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, bytes.as_bytes()).expect("everything is sent"));
        lines.iter().map(|_| client.read_answer()).collect()
    })
}

#[test]
fn what_is_refused_as_overloaded_was_not_executed_and_succeeds_later() {
    let store = Store::with("", "[executor]\nqueue_commands_max = 1\nbatch_commands_max = 1\n");
    let _daemon = Daemon::start(&store);
    let refusals: Vec<usize> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| place_until_all_are_taken(&store))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(refusals.iter().sum::<usize>() > 0, "a queue of one was never full");
    let mut client = Client::connect(&store);
    assert_eq!(client.status()["orders"]["count"], 4 * 300);
    assert_eq!(client.status()["outbox"]["last_sequence"], 4 * 300);
}

/// Places 300 orders, sending again what was refused; returns how often something was.
fn place_until_all_are_taken(store: &Store) -> usize {
    let mut client = Client::connect(store);
    let mut open: BTreeSet<String> = (0..300).map(|_| uuid()).collect();
    let mut refusals = 0;
    while !open.is_empty() {
        let orders: Vec<String> = open.iter().cloned().collect();
        let place = |order: &String| {
            request(&json!(order), "order.place", &json!({"order_id": order, "customer_id": order, "total_amount": 1}))
        };
        let lines: Vec<String> = orders.iter().map(place).collect();
        for (answer, order) in exchange(&mut client, &lines).iter().zip(&orders) {
            assert_eq!(&answer["id"], order, "refusals keep their place too");
            match answer.get("error") {
                // Taken once, it is never refused as known: nothing that was refused had been executed.
                None => assert!(open.remove(order)),
                Some(error) => {
                    assert_error(error, 1101, "overloaded");
                    refusals += 1;
                }
            }
        }
    }
    refusals
}

#[test]
fn a_stopping_daemon_refuses_commands_and_still_delivers_the_answers_it_owes() {
    let store = Store::with("shutdown_ms_max = 5000", "");
    let mut daemon = Daemon::start(&store);
    let mut asking = Client::connect(&store);
    asking.place(1);
    // Somebody who does not read keeps the daemon stopping for a while.
    let mut deaf = Client::connect(&store);
    deaf.sender().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let line = request(&json!("x".repeat(1000)), "daemon.status", &json!({})) + "\n";
    while deaf.try_send_raw(line.repeat(50)).is_ok() {}
    daemon.sigterm();
    let refusal = poll(DEADLINE, || {
        let line = request(&json!(1), "order.place", &place_params(1)) + "\n";
        asking.try_send_raw(line).ok()?;
        let answer: Value = serde_json::from_str(&asking.try_read_line().ok()??).unwrap();
        answer.get("error").cloned()
    });
    let refusal = refusal.expect("a refusal, not a closed connection");
    assert_eq!(error_kind(&refusal), (1102, "shutting_down"));
    assert_error(&refusal, 1102, "shutting_down");
    // The deaf one listens at last: everything that it is owed is whole.
    let mut owed = 0;
    while let Ok(Some(line)) = deaf.try_read_line() {
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], "x".repeat(1000));
        owed += 1;
    }
    assert!(owed > 0);
    assert_eq!(daemon.wait_exit(Duration::from_secs(10)).code(), Some(0), "{}", daemon.stderr());
}
