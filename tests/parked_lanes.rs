//! Parked lanes, as operators and programs see them: what counts as lag, how attempts are counted, what is on record.

use serde_json::{Value, json};

use crate::subscriptions::{store_with, wait_for};
use crate::support::{Client, Daemon, Program, Store, orderd};

fn delivered_records(store: &Store) -> Vec<Value> {
    let dump = orderd(store, &["dump"]).expect(0).stdout;
    let lines = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let lsns: Vec<u64> = lines.iter().map(|line| line["lsn"].as_u64().unwrap()).collect();
    assert!(lsns.is_sorted_by(|one, next| one < next), "one line a plan");
    lines.into_iter().map(|line| line["delivery"].clone()).filter(|delivery| delivery["kind"] == "delivered").collect()
}

#[test]
fn what_is_parked_by_hand_is_no_lag_also_while_nobody_is_attached() {
    let store = store_with("");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..10).map(|amount| client.place(amount)).collect();
    client.result("order.complete", json!({"order_id": orders[4]}));
    wait_for(&mut client, "all of it waits", |bus| bus["lag_events"] == 11);
    client.result("lane.park", json!({"sink": "bus", "order_id": orders[4], "reason": "asks for it"}));
    wait_for(&mut client, "the parked two are apart", |bus| bus["lag_events"] == 9 && bus["parked_events"] == 2);
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    wait_for(&mut client, "also after a kill", |bus| bus["lag_events"] == 9 && bus["parked_events"] == 2);
    let mut consumer = Program::attach(&store, "bus");
    for _ in 0..9 {
        let out = consumer.event();
        assert_ne!(out.order_id, orders[4]);
        consumer.delivered(&[out.tag]);
    }
    wait_for(&mut client, "the rest is settled", |bus| bus["lag_events"] == 0 && bus["acked_sequence"] == 11);
    client.result("lane.requeue", json!({"sink": "bus", "order_id": orders[4]}));
    for sequence in [5, 11] {
        let out = consumer.event();
        assert_eq!((out.sequence, out.attempt), (sequence, 1));
        consumer.delivered(&[out.tag]);
    }
    wait_for(&mut client, "nothing is parked", |bus| bus["parked_events"] == 0 && bus["lag_events"] == 0);
}

#[test]
fn a_lane_that_went_through_before_the_stream_came_to_it_is_not_handed_out_again() {
    let store = store_with("in_flight_max = 4\nwindow_events_max = 8");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..40).for_each(|amount| drop(client.place(amount)));
    let late = client.place(40);
    client.result("lane.park", json!({"sink": "bus", "order_id": late, "reason": "first of all"}));
    client.result("lane.requeue", json!({"sink": "bus", "order_id": late}));
    let mut consumer = Program::attach(&store, "bus");
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..41 {
        let out = consumer.event();
        consumer.delivered(&[out.tag]);
        seen.push(out.sequence);
    }
    assert!(seen.iter().position(|sequence| *sequence == 41) < Some(10), "requeued lanes take turns: {seen:?}");
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == 41 && bus["in_flight"] == 0);
    seen.sort_unstable();
    assert_eq!(seen, (1..=41).collect::<Vec<_>>(), "each once");
}

#[test]
fn attempts_of_a_parked_event_go_on_after_a_kill_and_those_of_the_next_begin() {
    let store = store_with("attempts_max = 3");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let poison = client.place(0);
    client.result("order.complete", json!({"order_id": poison}));
    let mut consumer = Program::attach(&store, "bus");
    for attempt in 1..=3 {
        client.place(1);
        for _ in 0..2 {
            let out = consumer.event();
            if out.order_id == poison {
                assert_eq!((out.sequence, out.attempt), (1, attempt));
                consumer.failed(out.tag);
            } else {
                consumer.delivered(&[out.tag]);
            }
        }
    }
    wait_for(&mut client, "it is parked", |bus| bus["parked_events"] == 2);
    client.result("lane.park", json!({"sink": "bus", "order_id": poison, "reason": "wait"}));
    daemon.kill9();
    daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let lane = client.result("lane.show", json!({"sink": "bus", "order_id": poison}))["lane"].clone();
    assert!(lane["attempts"].as_u64() >= Some(3), "{lane}");
    client.result("lane.requeue", json!({"sink": "bus", "order_id": poison}));
    let mut consumer = Program::attach(&store, "bus");
    let out = consumer.event();
    assert_eq!(out.sequence, 1);
    assert!(out.attempt >= 4, "attempt {}", out.attempt);
    consumer.delivered(&[out.tag]);
    wait_for(&mut client, "one is left", |bus| bus["parked_events"] == 1);
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut consumer = Program::attach(&store, "bus");
    let out = consumer.event();
    // It may have been handed out, and not answered, by the daemon that was killed.
    assert_eq!((out.sequence, out.attempt), (2, 1));
}

#[test]
fn each_event_that_got_through_after_it_was_parked_has_a_record_of_its_own() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..30).map(|amount| client.place(amount)).collect();
    let mut consumer = Program::attach(&store, "bus");
    (0..30).for_each(|_| {
        let out = consumer.event();
        consumer.rejected(out.tag);
    });
    wait_for(&mut client, "all are parked", |bus| bus["parked_lanes"] == 30);
    client.result("lane.requeue", json!({"sink": "bus", "all": true}));
    let out: Vec<u64> = (0..30)
        .map(|_| {
            let out = consumer.event();
            consumer.delivered(&[out.tag]);
            out.sequence
        })
        .collect();
    wait_for(&mut client, "all went through", |bus| bus["parked_lanes"] == 0);
    let records = delivered_records(&store);
    assert_eq!(records.len(), out.len());
    for (record, sequence) in records.iter().zip(out) {
        let order_id = &orders[usize::try_from(sequence).unwrap() - 1];
        let mut keys: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["at", "kind", "order_id", "reason", "sequence", "sink", "uid"]);
        assert_eq!((&record["order_id"], &record["sequence"]), (&json!(order_id), &json!(sequence)));
    }
    let listed = client.result("decision.list", json!({"limit": 1000}));
    let listed = listed["decisions"].as_array().unwrap().iter().map(|line| line["delivery"].clone());
    assert_eq!(listed.filter(|delivery| delivery["kind"] == "delivered").collect::<Vec<_>>(), records);
}

#[test]
fn what_is_parked_in_a_skipped_range_hides_no_event_after_it() {
    // The kill finds a cursor that says nothing of it yet.
    let store = store_with("[relay]\ncursor_ms_max = 60000");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..6).map(|amount| client.place(amount)).collect();
    client.result("lane.park", json!({"sink": "bus", "order_id": orders[2], "reason": "wait"}));
    client.result("sink.skip_to", json!({"sink": "bus", "sequence": 6, "reason": "old"}));
    daemon.kill9();
    daemon = Daemon::start(&store);
    client = Client::connect(&store);
    for _ in 0..2 {
        wait_for(&mut client, "the range is passed", |bus| bus["acked_sequence"] == 5 && bus["lag_events"] == 1);
        daemon.stop();
        daemon = Daemon::start(&store);
        client = Client::connect(&store);
    }
    let mut consumer = Program::attach(&store, "bus");
    assert_eq!(consumer.event().sequence, 6);
}

#[test]
fn a_lane_that_is_parked_by_hand_stays_held_whatever_the_program_says_of_its_event() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..2).map(|amount| client.place(amount)).collect();
    let mut consumer = Program::attach(&store, "bus");
    let out = [consumer.event(), consumer.event()];
    for order_id in &orders {
        client.result("lane.park", json!({"sink": "bus", "order_id": order_id, "reason": "wait"}));
    }
    consumer.rejected(out[0].tag);
    consumer.failed(out[1].tag);
    wait_for(&mut client, "both are answered", |bus| bus["in_flight"] == 0);
    client.place(2);
    assert_eq!(consumer.event().sequence, 3, "nothing held goes out");
    for order_id in &orders {
        let lane = client.result("lane.show", json!({"sink": "bus", "order_id": order_id}))["lane"].clone();
        assert_eq!(lane["state"], "held", "{lane}");
    }
}
