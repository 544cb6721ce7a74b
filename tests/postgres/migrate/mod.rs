//! `orderd migrate`: a journal's store goes on in PostgreSQL as if nothing had happened; until all of it is there, nobody
//! can use it.

mod kills;
mod old_store;
mod refusals;

use serde_json::{Value, json};

use self::old_store::{OldStore, answers};
use super::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, Program, Run, Store, eventually, lines, orderd, uuid};

#[test]
fn a_migrated_store_goes_on_where_the_journal_ended() {
    let mut old = OldStore::fill();
    let before = answers(&old.store, &old.commands);
    let file_before = lines(&old.store.sink());
    old.stop();
    let database = Database::create();
    old.configure_for(&database, "");
    let migrated = migrate(&old.store).expect(0);
    assert!(migrated.stdout.contains("read back and compared"), "{}", migrated.stdout);
    orderd(&old.store, &["verify", "--data-dir", "data"]).expect(0);

    let mut daemon = Daemon::start(&old.store);
    let after = answers(&old.store, &old.commands);
    assert_eq!(after, before, "old commands, orders, lanes, replays and decisions are answered as before");
    let mut client = Client::connect(&old.store);
    let last_lsn = client.status()["journal"]["durable_lsn"].as_u64().unwrap();
    let placed = client.result("order.place", json!({"customer_id": uuid(), "total_amount": 1}));
    assert!(placed["lsn"].as_u64().unwrap() > last_lsn, "{placed}");

    goes_on(&old, &file_before);
    daemon.stop();
}

/// The file has every event once, and the program gets what it had not yet taken, each order in the order of its versions.
fn goes_on(old: &OldStore, file_before: &[String]) {
    let mut client = Client::connect(&old.store);
    let last = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
    eventually(DEADLINE, "the file has the new event", || lines(&old.store.sink()).len() as u64 == last);
    let file = lines(&old.store.sink());
    assert_eq!(file[..file_before.len()], *file_before, "nothing is there twice");
    let events: Vec<Value> = file.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (event, sequence) in events.iter().zip(1_u64..) {
        assert_eq!(event["sequence"], format!("{sequence:020}"));
    }
    assert_eq!(events.last().unwrap()["storeepoch"], 2, "the epoch goes on");

    let mut consumer = Program::attach(&old.store, "bus");
    assert_eq!(consumer.attached["storeepoch"], 2);
    let mut live = Vec::new();
    let mut replayed = 0;
    let expected = old.undelivered(last);
    while live.len() < expected.len() || replayed < old.replayed {
        let out = consumer.event();
        consumer.delivered(&[out.tag]);
        match out.replay {
            Some(_) => replayed += 1,
            None => live.push(out.sequence),
        }
    }
    live.sort_unstable();
    assert_eq!(live, expected, "what was not delivered, and nothing else");
    let lane = json!({"sink": "bus", "order_id": old.rejected});
    client.result("lane.requeue", lane);
    let out = consumer.event();
    assert_eq!((out.order_id, out.sequence), (old.rejected.clone(), old.rejected_sequence));
    consumer.delivered(&[out.tag]);
    eventually(DEADLINE, "everything but the held lane is settled", || {
        let sinks = client.result("sink.list", json!({}));
        let bus = sinks["sinks"].as_array().unwrap().iter().find(|sink| sink["name"] == "bus").unwrap().clone();
        bus["acked_sequence"] == last && bus["parked_lanes"] == 1
    });
}

/// `orderd migrate` with this store's configuration.
fn migrate(store: &Store) -> Run {
    orderd(store, &["migrate", "--to", "postgres"])
}
