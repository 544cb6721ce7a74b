//! Kills of the daemon and of the consumer in the midst of a snapshot: no order is missing, none comes twice beyond what
//! was in flight or not recorded yet, and no later event overtakes.

use std::path::Path;

use serde_json::{Value, json};

use crate::snapshots::ledger::{Ledger, Seen};
use crate::snapshots::store_before;
use crate::subscriptions::{bus, wait_for};
use crate::support::{Client, DEADLINE, Daemon, HandedOut, Program, Store, eventually, lines, poll};

const IN_FLIGHT_MAX: u64 = 8;

/// The rows that the newest readable slot of a sink's cursor file says are settled.
fn saved_rows(store: &Store) -> u64 {
    const SLOT_BYTES: usize = 4096;
    let bytes = std::fs::read(store.data_dir().join("store/cursors/bus.cursor")).unwrap();
    let number = |slot: &[u8], at: usize| u64::from_le_bytes(slot[at..at + 8].try_into().unwrap());
    let slots = bytes.chunks(SLOT_BYTES).map(|slot| (number(slot, 32), number(slot, 88)));
    slots.max().unwrap().1
}

/// Takes at most `events` events, out of order; a few of a life, which are in `held`, are never answered.
fn take(consumer: &mut Program, held: &mut Vec<HandedOut>, seen: &mut Seen, events: usize, random: &mut fastrand::Rng) {
    for _ in 0..events {
        let Some(out) = consumer.try_event() else { return };
        held.push(out);
        if held.len() as u64 >= IN_FLIGHT_MAX / 2 {
            let out = held.swap_remove(random.usize(..held.len()));
            seen.take(&out.event);
            consumer.try_say("delivered", json!({"tags": [out.tag]}));
        }
    }
}

#[test]
fn kills_of_either_side_lose_no_order_and_repeat_no_more_than_promised() {
    const KILLS: u64 = 10;
    let mut ledger = Ledger::new(20_261_128);
    let mut random = fastrand::Rng::with_seed(7);
    let store = store_before(&mut ledger, 500, &format!("in_flight_max = {IN_FLIGHT_MAX}"));
    let mut seen = Seen::default();
    let mut daemon = Daemon::start(&store);
    for kill in 0..KILLS {
        let mut client = Client::connect(&store);
        let (mut consumer, mut held) = (Program::attach(&store, "bus"), Vec::new());
        for _ in 0..8 {
            ledger.change(&mut client);
            take(&mut consumer, &mut held, &mut seen, random.usize(1..8), &mut random);
        }
        // Half of the kills hit the consumer: what it has not answered comes again to the next.
        if kill % 2 == 0 {
            daemon.kill9();
            daemon = Daemon::start(&store);
        }
        drop(consumer);
    }
    let mut client = Client::connect(&store);
    let last = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
    let mut consumer = Program::attach(&store, "bus");
    let rest = move || {
        while let Some(out) = consumer.try_event() {
            seen.take(&out.event);
            consumer.try_say("delivered", json!({"tags": [out.tag]}));
        }
        seen
    };
    let rest = std::thread::Builder::new().name("consumer".into()).spawn(rest).unwrap();
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == last && bus["lag_events"] == 0);
    daemon.stop();
    let seen = rest.join().unwrap();
    ledger.check(&seen);
    // In flight, and what 100 ms and one save had not recorded: here that is a run's worth of events.
    assert!(seen.again <= KILLS * (IN_FLIGHT_MAX + 64), "{} events came again", seen.again);
}

#[test]
fn what_the_cursor_says_of_a_snapshot_is_not_handed_out_again() {
    let mut ledger = Ledger::new(12);
    let store = store_before(&mut ledger, 600, &format!("in_flight_max = {IN_FLIGHT_MAX}"));
    let mut daemon = Daemon::start(&store);
    let (mut consumer, mut seen) = (Program::attach(&store, "bus"), Seen::default());
    for _ in 0..150 {
        let out = consumer.event();
        seen.take(&out.event);
        consumer.delivered(&[out.tag]);
    }
    eventually(DEADLINE, "the cursor says so", || saved_rows(&store) == 150);
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    assert_eq!(bus(&mut client)["lag_events"], ledger.orders() as u64 - 150);
    let mut consumer = Program::attach(&store, "bus");
    while seen.count() < ledger.events() {
        let out = consumer.event();
        assert!(seen.take(&out.event), "handed out again: {}", out.event);
        consumer.delivered(&[out.tag]);
    }
    ledger.check(&seen);
}

/// The events of a file so far.
fn read(path: &Path) -> Vec<Value> {
    lines(path).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_goes_on_with_its_snapshot_after_kills_and_has_no_line_twice() {
    const KILLS: usize = 6;
    let mut ledger = Ledger::new(30);
    let store = store_before(&mut ledger, 800, "");
    let sink = "[relay]\nbatch_events_max = 16\n\n[[sinks]]\nname = \"bus\"\ntype = \"file\"\npath = \"bus.ndjson\"\n\
         start = \"snapshot\"\nrate_events_per_s_max = 150\n";
    store.configure("", sink);
    let path = store.path("bus.ndjson");
    let mut daemon = Daemon::start(&store);
    let mut in_its_midst = 0;
    for _ in 0..KILLS {
        let mut client = Client::connect(&store);
        (0..10).for_each(|_| ledger.change(&mut client));
        let (before, all) = (lines(&path).len(), ledger.events());
        poll(DEADLINE, || (lines(&path).len() >= all.min(before + 20)).then_some(())).expect("lines");
        daemon.kill9();
        in_its_midst += usize::from((1..ledger.orders()).contains(&lines(&path).len()));
        daemon = Daemon::start(&store);
    }
    assert!(in_its_midst > 0, "no kill came in the midst of the snapshot");
    let mut client = Client::connect(&store);
    eventually(DEADLINE * 2, "the file has all", || bus(&mut client)["lag_events"] == 0);
    let mut seen = Seen::default();
    read(&path).iter().for_each(|event| assert!(seen.take(event), "twice: {event}"));
    ledger.check(&seen);
    let snapshots = seen.snapshots();
    assert_eq!(snapshots, ledger.orders());
    // All of it is in front of the live events, which are in the order of their sequence.
    let types: Vec<_> = read(&path).iter().map(|event| event["type"] == "OrderSnapshot").collect();
    assert!(types.is_sorted_by(|one, next| one >= next));
    let sequences: Vec<_> = read(&path).iter().map(|event| event["sequence"].as_str().unwrap().to_owned()).collect();
    assert!(sequences.is_sorted());
    drop(daemon);
    // What was written after the snapshot began follows it, also over a stop.
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    ledger.place(&mut client);
    eventually(DEADLINE, "the live event follows", || lines(&path).len() == ledger.events());
    daemon.stop();
}

#[test]
fn standard_output_begins_with_the_snapshot() {
    let mut ledger = Ledger::new(31);
    let store = store_before(&mut ledger, 50, "");
    store.configure("", "[[sinks]]\nname = \"bus\"\ntype = \"stdout\"\nstart = \"snapshot\"\n");
    let daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..20).for_each(|_| ledger.change(&mut client));
    eventually(DEADLINE, "all is written", || bus(&mut client)["lag_events"] == 0);
    let mut seen = Seen::default();
    for line in daemon.stdout().lines() {
        seen.take(&serde_json::from_str(line).unwrap());
    }
    ledger.check(&seen);
}
