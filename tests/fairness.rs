//! Whoever sends little is served beside those who send much, and operators always get through.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, assert_error, orderd, place_params, request};

/// Sends orders without a pause until `over`, reading as they are answered; returns how many were placed.
fn flood<'s>(
    scope: &'s Scope<'s, '_>,
    store: &Store,
    over: &'s AtomicBool,
    placed: &'s AtomicU64,
) -> ScopedJoinHandle<'s, ()> {
    let stream = UnixStream::connect(store.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut sender = stream.try_clone().unwrap();
    scope.spawn(move || {
        let lines: String = (0..256).map(|id| request(&json!(id), "order.place", &place_params(id)) + "\n").collect();
        while !over.load(Ordering::SeqCst) {
            sender.write_all(lines.as_bytes()).unwrap();
        }
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    scope.spawn(move || {
        for line in BufReader::new(stream).lines() {
            let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
            match answer.get("error") {
                None => drop(placed.fetch_add(1, Ordering::SeqCst)),
                Some(error) => assert_error(error, 1101, "overloaded"),
            }
        }
    })
}

#[test]
fn an_honest_client_is_never_refused_beside_a_flood() {
    // A small queue, so that it is full whatever machine this is.
    let store = Store::with("", "[executor]\nqueue_commands_max = 256\nbatch_commands_max = 64\n");
    let _daemon = Daemon::start(&store);
    let (over, placed) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let floods: Vec<_> = (0..4).map(|_| flood(scope, &store, &over, &placed)).collect();
        let mut honest = Client::connect(&store);
        crate::support::eventually(DEADLINE, "the queue is full", || honest.status()["overloaded_total"] != 0);
        for amount in 0..100 {
            let order = honest.place(amount);
            honest.result("order.complete", json!({"order_id": order}));
            honest.result("order.get", json!({"order_id": order}));
        }
        // Up to eight at a time, too.
        for _ in 0..20 {
            let lines: Vec<String> = (0..8).map(|id| request(&json!(id), "order.place", &place_params(id))).collect();
            assert!(honest.pipeline(&lines).iter().all(|answer| answer.get("result").is_some()));
        }
        orderd(&store, &["status"]).expect(0);
        over.store(true, Ordering::SeqCst);
        floods.into_iter().for_each(|flood| flood.join().unwrap());
        assert!(placed.load(Ordering::SeqCst) > 0, "and the flood is served as well");
    });
}

#[test]
fn the_last_connections_are_kept_for_operators() {
    let store = Store::with("operator_uids = []", "[server]\nconnections_max = 6\noperator_connections = 2\n");
    let _daemon = Daemon::start(&store);
    // The probe of the start has gone.
    let mut first = Client::connect(&store);
    crate::support::eventually(DEADLINE, "one connection", || first.status()["connections"] == 1);
    let mut others: Vec<Client> = (0..3).map(|_| Client::connect(&store)).collect();
    others.iter_mut().for_each(|other| drop(other.place(1)));
    let mut kept: Vec<Client> = (0..2).map(|_| Client::connect(&store)).collect();
    for client in &mut kept {
        assert_eq!(client.status()["connections_max"], 6);
        let error = client.call("order.place", place_params(1)).unwrap_err();
        assert_error(&error, 1101, "overloaded");
        assert!(client.result("sink.list", json!({}))["sinks"].is_array());
        assert!(client.result("daemon.metrics", json!({}))["metrics"].is_array());
    }
    let mut refused = Client::connect(&store);
    assert_error(&refused.read_answer()["error"], 1101, "overloaded");
    assert!(refused.is_closed());
    let status = first.status();
    assert_eq!((&status["connections"], &status["connections_refused_total"]), (&json!(6), &json!(1)));
    drop(others);
    crate::support::eventually(DEADLINE, "it becomes one for everybody", || {
        kept[0].call("order.place", place_params(1)).is_ok()
    });
}
