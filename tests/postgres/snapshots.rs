//! `start = "snapshot"` over PostgreSQL: the orders as of one position, then every event after it, whichever daemon relays.

use serde_json::json;

use super::daemons::Database;
use crate::snapshots::ledger::{Ledger, Seen};
use crate::support::{Client, DEADLINE, Daemon, Program, Store, eventually};

const BUS: &str = "lease_ms = 1000\n[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nstart = \"snapshot\"\n\
                   in_flight_max = 20\n";

/// A database with orders that were there before the sink, and the daemons of the sink.
fn database_before(ledger: &mut Ledger, changes: usize) -> (Database, [Store; 2]) {
    let database = Database::create();
    let store = database.daemon("first", "");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..changes).for_each(|_| ledger.change(&mut client));
    ledger.mark(&mut client);
    daemon.stop();
    let stores = ["a", "b"].map(|name| database.daemon(name, BUS));
    (database, stores)
}

/// Takes `count` events, and has commands go on in between.
fn take(program: &mut Program, client: &mut Client, ledger: &mut Ledger, seen: &mut Seen, count: usize) {
    for number in 0..count {
        if number % 2 == 0 {
            ledger.change(client);
        }
        let out = program.event();
        seen.take(&out.event);
        program.delivered(&[out.tag]);
    }
}

#[test]
fn a_new_sink_gets_each_order_once_as_of_one_position_also_if_its_relay_is_killed() {
    let mut ledger = Ledger::new(1);
    let (_database, stores) = database_before(&mut ledger, 150);
    let orders = ledger.orders();
    assert!(orders > 40, "{orders}");
    let mut relay = Daemon::start(&stores[0]);
    let mut seen = Seen::default();
    let mut program = Program::attach(&stores[0], "bus");
    let _other = Daemon::start(&stores[1]);
    let mut client = Client::connect(&stores[1]);
    take(&mut program, &mut client, &mut ledger, &mut seen, orders / 2);
    relay.kill9();
    let mut program = Program::attach(&stores[1], "bus");
    while seen.count() < ledger.events() {
        let out = program.event();
        seen.take(&out.event);
        program.delivered(&[out.tag]);
    }
    ledger.check(&seen);
    assert_eq!(seen.snapshots(), orders);
    let last = client.status()["outbox"]["last_sequence"].clone();
    eventually(DEADLINE, "all is settled", || {
        client.result("sink.show", json!({"sink": "bus"}))["sink"]["acked_sequence"] == last
    });
}

#[test]
fn a_rejected_snapshot_is_parked_and_is_handed_out_again_by_another_relay() {
    let mut ledger = Ledger::new(2);
    let (database, stores) = database_before(&mut ledger, 30);
    let orders = ledger.orders();
    let mut relay = Daemon::start(&stores[0]);
    let mut program = Program::attach(&stores[0], "bus");
    let mut rejected = Vec::new();
    for number in 0..orders {
        let out = program.event();
        if number < 2 {
            program.rejected(out.tag);
            rejected.push(out.event);
        } else {
            program.delivered(&[out.tag]);
        }
    }
    eventually(DEADLINE, "both are parked, and the snapshot is over", || {
        database.value("SELECT count(*) || ' ' || (SELECT snapshot_running FROM sinks) FROM parked_events") == "2 false"
    });
    relay.kill9();
    let _other = Daemon::start(&stores[1]);
    let mut program = Program::attach(&stores[1], "bus");
    let mut client = Client::connect(&stores[1]);
    client.result("lane.requeue", json!({"sink": "bus", "all": true}));
    let again: Vec<_> = (0..2)
        .map(|_| {
            let out = program.event();
            program.delivered(&[out.tag]);
            out.event
        })
        .collect();
    assert!(rejected.iter().all(|event| again.contains(event)), "byte for byte: {again:?}");
    eventually(DEADLINE, "nothing is parked", || database.value("SELECT count(*) FROM parked_events") == "0");
}
