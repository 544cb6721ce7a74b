//! `start = "snapshot"`: a new sink first gets every order as of one position, then every event after it.

pub mod ledger;

use std::time::Duration;

use serde_json::{Value, json};

use self::ledger::{Ledger, Seen};
use crate::subscriptions::{bus, wait_for};
use crate::support::{
    Client, DEADLINE, Daemon, Program, Store, assert_error, eventually, lines, orderd, place_params, request, uuid,
};

/// A store with orders that were there before the sink `bus`, which starts with a snapshot, and these keys of it.
pub fn store_before(ledger: &mut Ledger, changes: usize, keys: &str) -> Store {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..changes).for_each(|_| ledger.change(&mut client));
    ledger.mark(&mut client);
    eventually(DEADLINE, "the file has all", || client.status()["sinks"][0]["lag_events"] == 0);
    daemon.stop();
    configure(&store, "subscription", keys);
    store
}

fn configure(store: &Store, sink_type: &str, keys: &str) {
    let sink = format!("[[sinks]]\nname = \"bus\"\ntype = \"{sink_type}\"\nstart = \"snapshot\"\n");
    store.configure("", &format!("{sink}{keys}\n"));
}

/// Takes events, answers each with delivered, and lets commands go on in between, until all is settled.
fn take_all(store: &Store, ledger: &mut Ledger, seen: &mut Seen, changes: usize) {
    let mut client = Client::connect(store);
    let mut consumer = Program::attach(store, "bus");
    let mut left = changes;
    while seen.count() < ledger.events() || left > 0 {
        if left > 0 {
            ledger.change(&mut client);
            left -= 1;
        }
        let out = consumer.event();
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
}

fn decisions(client: &mut Client, kind: &str) -> Vec<Value> {
    let listed = client.result("decision.list", json!({"limit": 1000}));
    let deliveries = listed["decisions"].as_array().unwrap().iter().map(|decision| decision["delivery"].clone());
    deliveries.filter(|delivery| delivery["sink"] == "bus" && delivery["kind"] == kind).collect()
}

#[test]
fn a_new_sink_gets_each_order_once_as_of_one_position_and_then_every_later_event() {
    let mut ledger = Ledger::new(1);
    let store = store_before(&mut ledger, 300, "in_flight_max = 20");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (orders, position) = (ledger.orders(), ledger.position());
    let shown = bus(&mut client);
    assert_eq!((&shown["acked_sequence"], &shown["lag_events"]), (&json!(position), &json!(orders)));
    let mut seen = Seen::default();
    take_all(&store, &mut ledger, &mut seen, 250);
    ledger.check(&seen);
    assert_eq!((seen.snapshots(), seen.again), (orders, 0));
    let last = client.status()["outbox"]["last_sequence"].clone();
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == last && bus["lag_events"] == 0);
    let registered = decisions(&mut client, "registered");
    let told = ["type", "after", "snapshot", "orders", "source"].map(|name| registered[0][name].clone());
    assert_eq!(told, [json!("subscription"), json!(position), json!(true), json!(orders), json!("/orderd")]);
    assert_eq!(decisions(&mut client, "delivered").len(), 1, "that the snapshot is over is on record");
    // Nothing of it comes again.
    daemon.stop();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    ledger.place(&mut client);
    take_all(&store, &mut ledger, &mut seen, 0);
    ledger.check(&seen);
    assert_eq!(seen.again, 0);
}

#[test]
fn commands_of_others_go_on_beside_a_snapshot() {
    let mut ledger = Ledger::new(2);
    let store = store_before(&mut ledger, 400, "in_flight_max = 64");
    let _daemon = Daemon::start(&store);
    let before = ledger.orders();
    let mut client = Client::connect(&store);
    let change = move || {
        (0..400).for_each(|_| ledger.change(&mut client));
        ledger
    };
    let changing = std::thread::Builder::new().name("client".into()).spawn(change).unwrap();
    let (mut consumer, mut seen) = (Program::attach(&store, "bus"), Seen::default());
    while seen.count() < before {
        let out = consumer.event();
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    assert_eq!(seen.snapshots(), before, "all of the snapshot comes before the first live event");
    drop(consumer);
    let mut ledger = changing.join().unwrap();
    take_all(&store, &mut ledger, &mut seen, 0);
    ledger.check(&seen);
}

#[test]
fn a_sink_of_an_empty_store_gets_live_events_at_once() {
    let store = Store::new();
    configure(&store, "subscription", "");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut ledger = Ledger::new(3);
    (0..10).for_each(|_| ledger.place(&mut client));
    let mut seen = Seen::default();
    take_all(&store, &mut ledger, &mut seen, 0);
    ledger.check(&seen);
    assert_eq!((seen.count(), seen.snapshots()), (10, 0));
}

#[test]
fn a_rejected_snapshot_is_parked_and_later_events_of_its_order_wait_behind_it() {
    let mut ledger = Ledger::new(4);
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..20).for_each(|_| ledger.place(&mut client));
    ledger.mark(&mut client);
    daemon.stop();
    configure(&store, "subscription", "");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (mut consumer, mut seen) = (Program::attach(&store, "bus"), Seen::default());
    let mut bad = Vec::new();
    for number in 0..20 {
        let out = consumer.event();
        if number == 7 || number == 11 {
            consumer.rejected(out.tag);
            bad.push(out);
        } else {
            seen.take(&out.event);
            consumer.delivered(&[out.tag]);
        }
    }
    let [first, second] = [&bad[0].order_id, &bad[1].order_id];
    wait_for(&mut client, "both are parked", |bus| bus["parked_lanes"] == 2 && bus["lag_events"] == 0);
    ledger.run(&mut client, "order.complete", json!({"order_id": first}));
    ledger.run(&mut client, "order.complete", json!({"order_id": second}));
    wait_for(&mut client, "what comes later waits", |bus| bus["parked_events"] == 4 && bus["lag_events"] == 0);
    let lanes = client.result("lane.list", json!({"sink": "bus", "state": "rejected"}));
    assert_eq!(lanes["lanes"][0]["first_sequence"], ledger.position());
    let shown = client.result("lane.show", json!({"sink": "bus", "order_id": first}));
    assert_eq!(shown["events"][0], bad[0].event);
    let trace = client.result("order.trace", json!({"order_id": first}));
    let traced: Vec<_> = trace["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(
        (traced, &trace["complete"]),
        (vec![json!("OrderPlaced"), json!("OrderSnapshot"), json!("OrderCompleted")], &json!(true))
    );

    // Over a restart one goes out again in order, and the other passes over its snapshot, on record.
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut consumer = Program::attach(&store, "bus");
    client.result("lane.requeue", json!({"sink": "bus", "order_id": first}));
    for _ in 0..2 {
        let out = consumer.event();
        assert_eq!(out.order_id, *first);
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    let skip = json!({"sink": "bus", "order_id": second, "sequence": ledger.position(), "reason": "known there"});
    client.result("lane.skip", skip);
    let out = consumer.event();
    assert_eq!((&out.order_id, &out.event["type"]), (second, &json!("OrderCompleted")));
    consumer.delivered(&[out.tag]);
    wait_for(&mut client, "no lane is left", |bus| bus["parked_lanes"] == 0);
    seen.take(&bad[1].event);
    seen.take(&out.event);
    ledger.check(&seen);
    assert_eq!(seen.again, 0);
}

#[test]
fn what_an_operator_may_do_while_a_snapshot_is_handed_out() {
    let mut ledger = Ledger::new(5);
    let store = store_before(&mut ledger, 60, "in_flight_max = 4");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (orders, position) = (ledger.orders() as u64, ledger.position());
    let (mut consumer, mut seen) = (Program::attach(&store, "bus"), Seen::default());
    for _ in 0..3 {
        let out = consumer.event();
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    wait_for(&mut client, "they are settled", |bus| bus["lag_events"] == orders - 3);
    ledger.place(&mut client);
    ledger.place(&mut client);
    // To the position itself there is nothing to pass over; beyond it, the rest of the snapshot and what follows it.
    let nothing =
        client.result("sink.skip_to", json!({"sink": "bus", "sequence": position, "reason": "r", "dry_run": true}));
    assert_eq!(nothing["events"], 0);
    let passed = client.result("sink.skip_to", json!({"sink": "bus", "sequence": position + 2, "reason": "known"}));
    let expected = json!({"events": orders - 3 + 1, "first_sequence": position, "last_sequence": position + 1});
    assert_eq!(passed, expected);
    let out = loop {
        let out = consumer.event();
        if out.event["type"] != "OrderSnapshot" {
            break out;
        }
    };
    assert_eq!(out.sequence, position + 2);
    consumer.delivered(&[out.tag]);
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == position + 2 && bus["lag_events"] == 0);
}

/// One that is in flight, one that was not even read, and one whose snapshot was delivered and that has changed since.
#[test]
fn orders_are_parked_by_hand_while_a_snapshot_is_handed_out() {
    let mut ledger = Ledger::new(9);
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..39).for_each(|_| ledger.place(&mut client));
    let last = client.result("order.place", place_params(7))["order"].take();
    ledger.note(last.clone());
    let last = last["order_id"].as_str().unwrap();
    ledger.mark(&mut client);
    daemon.stop();
    configure(&store, "subscription", "in_flight_max = 2");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let position = ledger.position();
    let (mut consumer, mut seen) = (Program::attach(&store, "bus"), Seen::default());
    let first = consumer.event();
    seen.take(&first.event);
    consumer.delivered(&[first.tag]);
    let in_flight = consumer.event();
    wait_for(&mut client, "it is settled", |bus| bus["lag_events"] == 39);
    let park = |order_id: &str| json!({"sink": "bus", "order_id": order_id, "reason": "wait"});
    let settled = client.call("lane.park", park(&first.order_id));
    assert_error(&settled.unwrap_err(), 1205, "lane_not_found");
    ledger.run(&mut client, "order.complete", json!({"order_id": first.order_id}));
    for order_id in [first.order_id.as_str(), in_flight.order_id.as_str(), last] {
        client.result("lane.park", park(order_id));
    }
    let lanes = client.result("lane.list", json!({"sink": "bus", "state": "held"}));
    let firsts: Vec<_> = lanes["lanes"].as_array().unwrap().iter().map(|lane| lane["first_sequence"].clone()).collect();
    assert!(firsts.len() == 3 && firsts.contains(&json!(position + 1)), "{lanes}");
    // What was in flight counts all the same, and ends its lane.
    seen.take(&in_flight.event);
    consumer.delivered(&[in_flight.tag]);
    wait_for(&mut client, "two are left", |bus| bus["parked_lanes"] == 2);

    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut consumer = Program::attach(&store, "bus");
    while seen.snapshots() < 39 {
        let out = consumer.event();
        assert_ne!(out.order_id, last, "it is held");
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    client.result("lane.requeue", json!({"sink": "bus", "all": true}));
    while seen.count() < ledger.events() {
        let out = consumer.event();
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    wait_for(&mut client, "no lane is left", |bus| bus["parked_lanes"] == 0 && bus["lag_events"] == 0);
    ledger.check(&seen);
}

#[test]
fn another_type_is_a_configuration_error_while_a_snapshot_is_handed_out_and_not_after_it() {
    let mut ledger = Ledger::new(6);
    let store = store_before(&mut ledger, 20, "");
    let mut daemon = Daemon::start(&store);
    daemon.stop();
    configure(&store, "file", "path = \"bus.ndjson\"");
    let refused = Daemon::refused(&store).expect(78);
    assert!(refused.stderr.contains("bus") && refused.stderr.contains("snapshot"), "{}", refused.stderr);
    configure(&store, "subscription", "");
    let mut daemon = Daemon::start(&store);
    let mut seen = Seen::default();
    take_all(&store, &mut ledger, &mut seen, 0);
    let mut client = Client::connect(&store);
    eventually(DEADLINE, "it is over", || !decisions(&mut client, "delivered").is_empty());
    daemon.stop();
    configure(&store, "file", "path = \"bus.ndjson\"");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    ledger.place(&mut client);
    eventually(DEADLINE, "the file has what follows", || lines(&store.path("bus.ndjson")).len() == 1);
}

/// The journal after the position is what an order's past is told from, and the live events come from there.
#[test]
fn retention_keeps_what_a_snapshot_needs_and_says_for_whom() {
    let mut ledger = Ledger::new(7);
    let store = store_before(&mut ledger, 40, "in_flight_max = 4");
    let sections = "[journal]\nsegment_bytes = 131072\nbytes_max = 67108864\nretain_bytes = 0\n\n\
         [executor]\nbatch_bytes_max = 32768\n\n[checkpoint]\njournal_bytes = 65536\nplans = 200\n\n\
         [[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nstart = \"snapshot\"\nin_flight_max = 4\n";
    store.configure("", sections);
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for _ in 0..8 {
        let many: Vec<_> = (0..200)
            .map(|_| request(&json!(1), "order.place", &json!({"customer_id": uuid(), "total_amount": 1})))
            .collect();
        for placed in client.pipeline(&many) {
            ledger.note(placed["result"]["order"].clone());
        }
    }
    (0..40).for_each(|_| ledger.change(&mut client));
    eventually(DEADLINE, "the sink pins the journal", || client.status()["journal"]["pinned_by"] == "bus");
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut seen = Seen::default();
    take_all(&store, &mut ledger, &mut seen, 0);
    ledger.check(&seen);
    let mut client = Client::connect(&store);
    eventually(DEADLINE, "it lets go of it", || client.status()["journal"]["pinned_by"] != "bus");
}

/// A program that answers nothing stops the snapshot at its window: the rest is not copied anywhere.
#[test]
fn the_memory_of_a_snapshot_does_not_grow_with_the_orders() {
    const ORDERS: usize = 40_000;
    const GROWTH_KB_MAX: u64 = 8 << 10;
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for _ in 0..ORDERS / 1000 {
        let many: Vec<_> = (0..1000)
            .map(|_| request(&json!(1), "order.place", &json!({"customer_id": uuid(), "total_amount": 1})))
            .collect();
        client.pipeline(&many);
    }
    daemon.stop();
    configure(&store, "subscription", "window_events_max = 1000\nin_flight_max = 500");
    let daemon = Daemon::start(&store);
    let before = resident_kb(&daemon);
    let mut consumer = Program::attach(&store, "bus");
    // The first is never answered, and so never leaves the window.
    let kept = consumer.event();
    for _ in 0..999 {
        let out = consumer.event();
        assert_ne!(out.order_id, kept.order_id);
        consumer.delivered(&[out.tag]);
    }
    crate::support::pause(Duration::from_millis(300));
    let after = resident_kb(&daemon);
    assert!(after < before + GROWTH_KB_MAX, "{before} kB before, {after} kB with a full window");
}

fn resident_kb(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn verify_and_dump_tell_of_a_snapshot_that_is_handed_out() {
    let mut ledger = Ledger::new(8);
    let store = store_before(&mut ledger, 30, "");
    let mut daemon = Daemon::start(&store);
    daemon.stop();
    let verified = orderd(&store, &["verify", "--data-dir", "data"]).expect(0).stdout;
    let (orders, position) = (ledger.orders(), ledger.position());
    let line = format!("sink bus: acknowledged 0 of {orders} orders of its snapshot as of event {position}");
    assert!(verified.contains(&line), "{verified}");
    let dumped = orderd(&store, &["dump", "--data-dir", "data"]).expect(0).stdout;
    assert!(dumped.contains(&format!("\"snapshot\":true,\"orders\":{orders},\"source\":\"/orderd\"")), "{dumped}");
}
