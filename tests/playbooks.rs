//! The playbooks of docs/delivery.md, and of ANSWERS.md, Q4, step by step with the real daemon and command line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Consumer, DEADLINE, Daemon, Outcome, Run, Store, eventually, orderd};

fn store(sink_keys: &str) -> Store {
    Store::raw(&format!(
        "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n\n\
         [[sinks]]\nname = \"mail\"\ntype = \"subscription\"\n{sink_keys}\n"
    ))
}

/// A poison event.
#[test]
fn a_rejected_order_waits_alone_and_is_handed_out_again_in_order() {
    let store = store("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let poison = client.place(1);
    let others: Vec<String> = (0..20).map(|_| client.place(2)).collect();
    client.result("order.complete", json!({"order_id": poison}));

    let mut consumer = Consumer::attach(&store, "mail");
    let is_poison = |event: &Value| event["event"]["subject"] == *poison;
    let seen = consumer
        .work(|event| if is_poison(event) { Outcome::Rejected("no such customer") } else { Outcome::Delivered });
    assert_eq!(
        seen.len(),
        1 + others.len(),
        "the others were delivered, and what follows in the lane was not handed out"
    );

    let lane = lanes(&store);
    assert_eq!((lane[0]["order_id"].as_str(), lane[0]["state"].as_str()), (Some(&*poison), Some("rejected")));
    assert_eq!((&lane[0]["events"], &lane[0]["reason"]), (&json!(2), &json!("no such customer")));
    assert_eq!(sink(&store)["lag_events"], 0, "it does not count as lag, and pins nothing");

    json_of(&store, &["lane", "requeue", "mail", &poison, "--reason", "customer imported"]);
    let again = consumer.work(|_| Outcome::Delivered);
    let told: Vec<_> = again.iter().map(|event| (is_poison(event), event["event"]["orderversion"].clone())).collect();
    assert_eq!(told, [(true, json!(1)), (true, json!(2))], "in order");
    eventually(DEADLINE, "the lane is gone", || lanes(&store).is_empty());
}

/// An event that can never be handled is passed over, on record; its order goes on.
#[test]
fn a_skipped_event_is_on_record_and_its_order_goes_on() {
    let store = store("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let poison = client.place(1);
    client.result("order.complete", json!({"order_id": poison}));
    let mut consumer = Consumer::attach(&store, "mail");
    consumer.work(|_| Outcome::Rejected("too old"));
    json_of(&store, &["lane", "skip", "mail", &poison, "1", "--reason", "agreed with the team"]);
    json_of(&store, &["lane", "requeue", "mail", &poison]);
    let seen = consumer.work(|_| Outcome::Delivered);
    assert_eq!(seen.iter().map(|event| &event["event"]["orderversion"]).collect::<Vec<_>>(), [2]);
    let decisions = dumped_decisions(&store);
    let skipped = decisions.iter().find(|decision| decision["kind"] == "skipped").expect("a record");
    assert_eq!((&skipped["sequence"], &skipped["reason"]), (&json!(1), &json!("agreed with the team")));
}

/// A wrong deployment that rejected everything: the sink halts, and nothing is lost.
#[test]
fn a_consumer_that_rejects_everything_halts_its_sink_and_loses_nothing() {
    const ORDERS: usize = 130;
    let store = store("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for _ in 0..ORDERS {
        client.place(1);
    }
    let mut wrong = Consumer::attach(&store, "mail");
    let rejected = wrong.work(|_| Outcome::Rejected("no such field")).len();
    drop(wrong);
    assert!((100..ORDERS).contains(&rejected), "halted after 100 in a row, and what was in flight: {rejected}");
    eventually(DEADLINE, "the sink is halted", || sink(&store)["state"] == "halted");

    let mut right = Consumer::attach(&store, "mail");
    let filter = ["lane", "requeue", "mail", "--all", "--reason-contains", "no such field"];
    let counted = json_of(&store, &[&filter[..], &["--dry-run"]].concat());
    assert_eq!(counted["lanes"], rejected);
    json_of(&store, &[&filter[..], &["--yes"]].concat());
    let mut delivered = right.work(|_| Outcome::Delivered).len();
    assert_eq!(delivered, rejected, "requeued lanes are handed out although the sink is halted, and nothing else");
    json_of(&store, &["sink", "resume", "mail", "--reason", "rolled back"]);
    delivered += right.work(|_| Outcome::Delivered).len();
    assert_eq!(delivered, ORDERS);
    assert!(lanes(&store).is_empty());
}

/// A backlog: paused over a restart, then drained at the rate that was agreed.
#[test]
fn a_backlog_waits_while_paused_and_drains_no_faster_than_its_limit() {
    const EVENTS: usize = 60;
    const RATE: usize = 40;
    let store = store(&format!("rate_events_per_s_max = {RATE}"));
    let mut daemon = Daemon::start(&store);
    json_of(&store, &["sink", "pause", "mail", "--reason", "the consumer was down for a week"]);
    let mut client = Client::connect(&store);
    for _ in 0..EVENTS {
        client.place(1);
    }
    daemon.kill9();

    let _daemon = Daemon::start(&store);
    let mut consumer = Consumer::attach(&store, "mail");
    assert_eq!((consumer.next_event(), sink(&store)["state"].as_str()), (None, Some("paused")), "also after a restart");
    json_of(&store, &["sink", "resume", "mail"]);
    let begin = Instant::now();
    assert_eq!(consumer.work(|_| Outcome::Delivered).len(), EVENTS);
    // At most a second's worth may come at once.
    let least = Duration::from_millis((1000 * (EVENTS - RATE) / RATE) as u64);
    assert!(begin.elapsed() >= least, "{EVENTS} events at {RATE} a second in {:?}", begin.elapsed());
}

/// History that is worth less than the time it takes.
#[test]
fn skip_to_says_first_what_it_would_pass_over_and_then_passes_over_it() {
    let store = store("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for _ in 0..10 {
        client.place(1);
    }
    let skip = ["sink", "skip-to", "mail", "8", "--reason", "stale"];
    let range = json!({"events": 7, "first_sequence": 1, "last_sequence": 7});
    assert_eq!(json_of(&store, &[&skip[..], &["--dry-run"]].concat()), range);
    assert_eq!(sink(&store)["lag_events"], 10, "a dry run changes nothing");
    assert_eq!(json_of(&store, &skip), range);
    let seen = Consumer::attach(&store, "mail").work(|_| Outcome::Delivered);
    let sequences: Vec<_> = seen.iter().map(|event| event["event"]["sequence"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sequences, (8..=10).map(|n| format!("{n:020}")).collect::<Vec<_>>());
}

/// A consumer that lost some hours: the same bytes again, marked, beside the live events.
#[test]
fn a_replay_hands_out_the_same_bytes_again_and_leaves_the_cursor() {
    let store = store("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for _ in 0..10 {
        client.place(1);
    }
    let mut consumer = Consumer::attach(&store, "mail");
    let first = consumer.work(|_| Outcome::Delivered);
    eventually(DEADLINE, "everything is settled", || sink(&store)["acked_sequence"] == 10);

    let started = json_of(&store, &["replay", "start", "mail", "--from", "3", "--to", "6"]);
    let again = consumer.work(|_| Outcome::Delivered);
    assert!(again.iter().all(|event| event["replay"] == started["replay_id"]), "{again:?}");
    let events = |seen: &[Value]| seen.iter().map(|event| event["event"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(events(&again), events(&first[2..6]));
    assert_eq!(sink(&store)["acked_sequence"], 10);
}

/// A new consumer that needs every order, whatever the journal still holds of their events.
#[test]
fn a_new_consumer_starts_with_every_order_as_it_is() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..5).map(|_| client.place(1)).collect();
    client.result("order.complete", json!({"order_id": orders[0]}));
    daemon.stop();
    store.configure("", "[[sinks]]\nname = \"mail\"\ntype = \"subscription\"\nstart = \"snapshot\"\n");
    let _daemon = Daemon::start(&store);
    Client::connect(&store).result("order.cancel", json!({"order_id": orders[1]}));
    let seen = Consumer::attach(&store, "mail").work(|_| Outcome::Delivered);
    let told = |event: &Value| (event["event"]["type"].clone(), event["event"]["data"]["status"].clone());
    let snapshot = |status: &str| (json!("OrderSnapshot"), json!(status));
    let mut expected = vec![snapshot("completed")];
    expected.extend((1..5).map(|_| snapshot("placed")));
    expected.push((json!("OrderCancelled"), Value::Null));
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), expected);
}

/// What `orderd ARGS --json` prints.
#[track_caller]
fn json_of(store: &Store, args: &[&str]) -> Value {
    let run: Run = orderd(store, &[args, &["--json"]].concat());
    run.expect(0).json()
}

fn lanes(store: &Store) -> Vec<Value> {
    json_of(store, &["lane", "list", "mail"])["lanes"].as_array().unwrap().clone()
}

fn sink(store: &Store) -> Value {
    json_of(store, &["sink", "show", "mail"])["sink"].clone()
}

fn dumped_decisions(store: &Store) -> Vec<Value> {
    let dump = orderd(store, &["dump"]).expect(0).stdout;
    let lines = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line.get("delivery").cloned()).collect()
}
