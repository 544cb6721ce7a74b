//! SIGTERM and SIGINT: no new commands, the accepted ones answered, cursors saved, exit 0 in time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Client, DEADLINE, Daemon, Store, error_kind, events_of, eventually, lines, orderd, request, uuid,
};

/// What the contract gives a stop.
const STOP_MAX: Duration = Duration::from_secs(10);

#[track_caller]
fn stops_in_time(daemon: &mut Daemon, signal: Signal) {
    let start = Instant::now();
    daemon.signal(signal);
    let status = daemon.wait_exit(STOP_MAX);
    assert_eq!(status.code(), Some(0), "after {:?}: {}", start.elapsed(), daemon.stderr());
}

#[test]
fn sigterm_and_sigint_exit_0_in_time_and_the_store_starts_again() {
    let store = Store::new();
    for (index, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        assert_eq!(client.status()["orders"]["count"], index);
        client.place(1);
        stops_in_time(&mut daemon, signal);
        assert!(client.is_closed(), "a stopped daemon leaves no connection open");
    }
}

#[test]
fn every_command_that_was_executed_was_answered() {
    let store = Store::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        let mut sender = client.sender();
        let orders: BTreeSet<String> = (0..50_000).map(|_| uuid()).collect();
        let all: String = orders
            .iter()
            .map(|order| {
                let params = json!({"order_id": order, "customer_id": uuid(), "total_amount": 1});
                request(&json!(order), "order.place", &params) + "\n"
            })
            .collect();
        let mut answered = BTreeSet::new();
        std::thread::scope(|scope| {
            // The daemon may close before everything is sent: that is what is tried here.
            scope.spawn(move || std::io::Write::write_all(&mut sender, all.as_bytes()).ok());
            while let Ok(Some(line)) = client.try_read_line() {
                let answer: Value = serde_json::from_str(&line).unwrap();
                match answer.get("error") {
                    None => drop(answered.insert(answer["id"].as_str().unwrap().to_owned())),
                    Some(error) => assert_eq!(error_kind(error), (1102, "shutting_down"), "{error}"),
                }
                if answered.len() == 500 {
                    daemon.signal(signal);
                }
            }
            drop(client);
        });
        assert_eq!(daemon.wait_exit(STOP_MAX).code(), Some(0), "{}", daemon.stderr());
        let dump = orderd(&store, &["dump"]).expect(0).stdout;
        let executed: BTreeSet<String> = dump
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter_map(|plan| Some(plan["order"]["order_id"].as_str()?.to_owned()))
            .filter(|order| orders.contains(order))
            .collect();
        assert_eq!(executed.len(), answered.len(), "executed and answered are the same commands");
        assert_eq!(executed, answered);
    }
}

#[test]
fn connections_that_do_nothing_useful_do_not_hold_up_a_stop() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut idle = Client::connect(&store);
    idle.status();
    let mut half = Client::connect(&store);
    half.send_raw(r#"{"jsonrpc":"2.0","id":1,"method":"#);
    let mut deaf = Client::connect(&store);
    let line = request(&json!("x".repeat(1000)), "daemon.status", &json!({}));
    let sender = deaf.sender();
    sender.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Asks until neither side has room, and never reads.
    while deaf.try_send_raw(format!("{line}\n")).is_ok() {}
    stops_in_time(&mut daemon, Signal::TERM);
}

#[test]
fn a_clean_stop_saves_the_cursors_so_nothing_is_delivered_twice() {
    let store = Store::with("", "[relay]\ncursor_events_max = 1000\ncursor_ms_max = 60000\n");
    let mut count = 0;
    for _ in 0..3 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        for amount in 0..20 {
            client.place(amount);
            count += 1;
        }
        events_of(&store, count);
        daemon.stop();
    }
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    events_of(&store, count + 1);
    daemon.stop();
    assert_eq!(lines(&store.sink()).len(), count + 1);
}

#[test]
fn a_stop_while_a_sink_fails_is_still_in_time() {
    let store = Store::new();
    std::fs::create_dir(store.sink()).unwrap();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    eventually(DEADLINE, "the sink is retried", || client.status()["sinks"][0]["state"] == "retrying");
    stops_in_time(&mut daemon, Signal::TERM);
}

#[test]
fn a_second_signal_while_stopping_does_no_harm() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..100 {
        client.place(amount);
    }
    daemon.sigterm();
    daemon.sigterm();
    assert_eq!(daemon.wait_exit(STOP_MAX).code(), Some(0), "{}", daemon.stderr());
    let _daemon = Daemon::start(&store);
    assert_eq!(Client::connect(&store).status()["orders"]["count"], 100);
}

/// A store for which a stop soon writes a checkpoint, with that many orders, stopped.
fn stopped_store(keys: &str, orders: u64) -> Store {
    let store = Store::with("", &format!("[checkpoint]\nstop_journal_bytes = 16384\n{keys}\n"));
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..orders {
        client.place(amount);
    }
    stops_in_time(&mut daemon, Signal::TERM);
    store
}

/// The checkpoint that a start begins with, and the plans after it.
fn started_from(store: &Store) -> (u64, u64) {
    let mut daemon = Daemon::start(store);
    let journal = Client::connect(store).status()["journal"].clone();
    daemon.stop();
    let (checkpoint, durable) = (journal["checkpoint_lsn"].as_u64().unwrap(), journal["durable_lsn"].as_u64().unwrap());
    (checkpoint, durable - checkpoint)
}

#[test]
fn a_clean_stop_leaves_nothing_to_redo() {
    let store = stopped_store("", 300);
    // The registration of the sink is a plan, too.
    assert_eq!(started_from(&store), (301, 0));
    assert_eq!(started_from(&store), (301, 0), "a stop after nothing writes nothing");
    let verified = orderd(&store, &["verify"]).expect(0).stdout;
    assert!(verified.contains("checkpoints: LSN 301\n"), "{verified}");
}

#[test]
fn a_stop_writes_no_checkpoint_that_is_not_worth_it_or_that_has_no_time() {
    assert_eq!(started_from(&stopped_store("", 3)).0, 0, "three orders are read back sooner");
    let store = stopped_store("stop_ms_max = 0", 300);
    assert_eq!(started_from(&store), (0, 301));
}
