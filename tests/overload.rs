//! Too many commands at once are refused with `overloaded`, and a stopping daemon refuses with `shutting_down`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, orderd, place_params, request, uuid};

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
fn a_stopping_daemon_refuses_commands_and_executes_none_of_them() {
    let store = Store::with("", "[server]\nin_flight_max = 1\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut sender = client.sender();
    let lines: Vec<String> = (0..5000).map(|id| request(&json!(id), "order.place", &place_params(id))).collect();
    let bytes = lines.join("\n") + "\n";
    let (mut results, mut refusals) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, bytes.as_bytes()).ok());
        while let Ok(Some(line)) = client.try_read_line() {
            let answer: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(answer["id"], results + refusals, "in their order");
            match answer.get("error") {
                None => {
                    assert_eq!(refusals, 0, "once refused, nothing more is executed");
                    results += 1;
                }
                Some(error) => {
                    assert_error(error, 1102, "shutting_down");
                    refusals += 1;
                }
            }
            // One at a time is executed, so that many lines wait when the signal comes.
            if results == 20 && refusals == 0 {
                daemon.sigterm();
            }
        }
        drop(client);
    });
    assert_eq!(daemon.wait_exit(Duration::from_secs(10)).code(), Some(0), "{}", daemon.stderr());
    assert!(results < 5000 && refusals > 0, "{results} results, {refusals} refusals");
    let dump = orderd(&store, &["dump"]).expect(0).stdout;
    assert_eq!(dump.lines().filter(|line| line.contains("\"order\":")).count(), results);
}

#[test]
fn a_stopping_daemon_still_delivers_the_answers_it_owes() {
    let store = Store::with("shutdown_ms_max = 8000", "");
    let mut daemon = Daemon::start(&store);
    let mut late = Client::connect(&store);
    late.sender().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let line = request(&json!("x".repeat(1000)), "order.place", &place_params(1)) + "\n";
    while late.try_send_raw(&line).is_ok() {}
    daemon.sigterm();
    // It listens at last: everything that it is owed is whole, and everything that was executed is among it.
    let mut results = 0;
    while let Ok(Some(line)) = late.try_read_line() {
        let answer: Value = serde_json::from_str(&line).unwrap();
        results += usize::from(answer.get("result").is_some());
    }
    assert_eq!(daemon.wait_exit(Duration::from_secs(10)).code(), Some(0), "{}", daemon.stderr());
    assert!(results > 0);
    let dump = orderd(&store, &["dump"]).expect(0).stdout;
    assert_eq!(dump.lines().filter(|line| line.contains("\"order\":")).count(), results);
}
