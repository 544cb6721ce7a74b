//! One daemon relays a sink at a time; another takes over when it is gone, and nothing is lost or out of order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::daemons::Database;
use crate::support::{Client, Consumer, DEADLINE, Daemon, Outcome, Store, events, eventually, uuid};

const LEASE: Duration = Duration::from_millis(1000);
const SUBSCRIPTION: &str = "lease_ms = 1000\n[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\n";

/// Places `count` orders and completes each.
fn place(store: &Store, count: usize) {
    let mut client = Client::connect(store);
    for _ in 0..count {
        let placed = client.result("order.place", json!({"customer_id": uuid(), "total_amount": 5}));
        client.result("order.complete", json!({"order_id": placed["order"]["order_id"]}));
    }
}

/// Attaches to the relay, wherever it is; which daemon that was.
fn attach(stores: &[&Store]) -> (usize, Consumer) {
    let mut found = None;
    eventually(DEADLINE, "a daemon relays the sink", || {
        found = stores.iter().enumerate().find_map(|(at, store)| Some((at, Consumer::try_attach(store, "bus").ok()?)));
        found.is_some()
    });
    found.expect("it was found")
}

/// What a consumer that deduplicates by (order, version) has seen, in order.
#[derive(Default)]
struct Seen {
    versions: BTreeMap<String, u64>,
    sequences: Vec<u64>,
}

impl Seen {
    #[track_caller]
    fn note(&mut self, event: &Value) {
        let event = &event["event"];
        let order = event["subject"].as_str().expect("an order").to_owned();
        let version = event["orderversion"].as_u64().expect("a version");
        let last = self.versions.entry(order).or_default();
        assert!(version <= *last + 1, "an event of the order is missing before {event}");
        *last = version.max(*last);
        self.sequences.push(event["sequence"].as_str().expect("a sequence").parse().expect("a number"));
    }

    fn distinct(&self) -> usize {
        self.sequences.iter().collect::<std::collections::BTreeSet<_>>().len()
    }
}

#[test]
fn a_file_sink_has_every_event_of_all_daemons_once_and_in_order() {
    let database = Database::create();
    let sink = "[[sinks]]\nname = \"lines\"\ntype = \"file\"\npath = \"lines.ndjson\"\ndaemon = \"a\"\n";
    let (a, b) = (database.daemon("a", sink), database.daemon("b", sink));
    let (mut first, mut second) = (Daemon::start(&a), Daemon::start(&b));
    std::thread::scope(|scope| {
        for store in [&a, &b, &a, &b] {
            scope.spawn(|| place(store, 25));
        }
    });
    let lines = || std::fs::read_to_string(a.path("lines.ndjson")).unwrap_or_default();
    eventually(DEADLINE, "all events are in the file", || lines().lines().count() == 200);
    let sequences: Vec<u64> = lines()
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            event["sequence"].as_str().expect("a sequence").parse().expect("a number")
        })
        .collect();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    // The other daemon shows how far it is.
    let mut client = Client::connect(&b);
    eventually(DEADLINE, "any daemon tells how far the sink is", || {
        client.result("sink.list", json!({}))["sinks"][0]["acked_sequence"] == 200
    });
    first.stop();
    let first = Daemon::start(&a);
    place(&b, 1);
    eventually(DEADLINE, "it goes on after a restart", || lines().lines().count() == 202);
    drop(first);
    second.stop();
}

#[test]
fn another_daemon_takes_over_from_one_that_was_killed_and_nothing_is_lost() {
    let database = Database::create();
    let stores: Vec<Store> = ["a", "b", "c"].iter().map(|name| database.daemon(name, SUBSCRIPTION)).collect();
    let mut daemons: Vec<Option<Daemon>> = stores.iter().map(|store| Some(Daemon::start(store))).collect();
    let (mut seen, mut there) = (Seen::default(), vec![0, 1, 2]);
    for round in 0..2 {
        let stores_there: Vec<&Store> = there.iter().map(|at| &stores[*at]).collect();
        place(stores_there[0], 20);
        let (relay, mut consumer) = attach(&stores_there);
        // Some are delivered, some were handed out, some not even that.
        for _ in 0..15 {
            let event = consumer.next_event().expect("there are events");
            seen.note(&event);
            consumer.answer(&event, Outcome::Delivered);
        }
        let killed = there.remove(relay);
        daemons[killed].take().expect("it runs").kill9();
        let since = Instant::now();
        let left: Vec<&Store> = there.iter().map(|at| &stores[*at]).collect();
        let (_, mut consumer) = attach(&left);
        assert!(since.elapsed() < LEASE * 4, "round {round}: taken over after {:?}", since.elapsed());
        for event in consumer.work(|_| Outcome::Delivered) {
            seen.note(&event);
        }
    }
    assert_eq!(seen.distinct(), 80, "every event was handed out");
    assert!(seen.versions.values().all(|version| *version == 2));
    let mut client = Client::connect(&stores[there[0]]);
    eventually(DEADLINE, "everything is settled", || {
        client.result("sink.list", json!({}))["sinks"][0]["acked_sequence"] == 80
    });
}

#[test]
fn a_daemon_that_does_not_relay_the_sink_says_who_does() {
    let database = Database::create();
    let stores = [database.daemon("first", SUBSCRIPTION), database.daemon("second", SUBSCRIPTION)];
    let first = Daemon::start(&stores[0]);
    let (_, consumer) = attach(&[&stores[0]]);
    let second = Daemon::start(&stores[1]);
    let refusal = |store: &Store| Consumer::try_attach(store, "bus").err().expect("it is refused");
    eventually(DEADLINE, "the refusal names the relay", || {
        let error = refusal(&stores[1]);
        error["code"] == 1209 && error["message"].as_str().is_some_and(|message| message.contains("first"))
    });
    let error = refusal(&stores[1]);
    assert_eq!((&error["data"]["kind"], &error["data"]["retryable"]), (&json!("not_the_relay"), &json!(true)));
    // What an operator decides at one daemon reaches the relay at the other.
    let mut client = Client::connect(&stores[1]);
    client.result("sink.pause", json!({"sink": "bus", "reason": "a test"}));
    let mut at_relay = Client::connect(&stores[0]);
    eventually(DEADLINE, "the relay has heard of it", || {
        at_relay.result("sink.list", json!({}))["sinks"][0]["state"] == "paused"
    });
    drop((consumer, first, second));
}

#[test]
fn a_relay_that_slept_past_its_lease_moves_no_cursor() {
    let database = Database::create();
    let stores = [database.daemon("a", SUBSCRIPTION), database.daemon("b", SUBSCRIPTION)];
    let sleeper = Daemon::start(&stores[0]);
    place(&stores[0], 20);
    let (_, mut old) = attach(&[&stores[0]]);
    let events: Vec<Value> = (0..10).map(|_| old.next_event().expect("there are events")).collect();
    let other = Daemon::start(&stores[1]);
    sleeper.signal(Signal::STOP);
    let (_, mut new) = attach(&[&stores[1]]);
    // The old one hears these outcomes when it wakes up.
    events.iter().for_each(|event| old.answer(event, Outcome::Delivered));
    let cursor = || database.value("SELECT acked_sequence || '/' || owner FROM sinks");
    assert_eq!(cursor(), "0/b");
    sleeper.signal(Signal::CONT);
    eventually(DEADLINE, "the deposed relay knows", || Consumer::try_attach(&stores[0], "bus").is_err());
    assert_eq!(cursor(), "0/b", "what the deposed relay was told counts for nothing");
    let mut seen = Seen::default();
    new.work(|_| Outcome::Delivered).iter().for_each(|event| seen.note(event));
    assert_eq!(seen.distinct(), 40, "the new one hands all of it out");
    eventually(DEADLINE, "the new one's cursor moves", || cursor() == "40/b");
    drop((sleeper, other));
}

#[test]
fn backends_that_are_killed_under_a_relay_cost_nothing() {
    let database = Database::create();
    let keys = "lease_ms = 2000\nmaintain_ms = 100\n[executor]\ncommand_ids_max = 10\n\
                [[sinks]]\nname = \"lines\"\ntype = \"file\"\npath = \"lines.ndjson\"\ndaemon = \"a\"\n";
    let store = database.daemon("a", keys);
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for round in 0..5 {
        for _ in 0..20 {
            let params = json!({"customer_id": uuid(), "total_amount": 5, "command_id": uuid()});
            eventually(DEADLINE, "the order is placed", || client.call("order.place", params.clone()).is_ok());
        }
        let name = &database.name;
        database.value(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{name}' AND application_name LIKE 'orderd/a%'"
        ));
        assert!(daemon.is_running(), "round {round}");
    }
    let events = || events(&store.path("lines.ndjson"));
    eventually(DEADLINE, "all events are in the file", || events().len() == 100);
    let sequences: Vec<_> = events().iter().map(|event| event["sequence"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sequences, (1..=100).map(|sequence| format!("{sequence:020}")).collect::<Vec<_>>());
    eventually(DEADLINE, "old command ids are forgotten", || database.value("SELECT count(*) FROM commands") == "10");
    database.assert_sound();
    daemon.stop();
}
