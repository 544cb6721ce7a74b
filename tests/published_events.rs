//! What a sink gets: CloudEvents in the documented form, in sequence, the same bytes each time.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, events_of, keys, lines, uuid};

const EVENT_KEYS: [&str; 12] = [
    "data",
    "datacontenttype",
    "id",
    "orderversion",
    "partitionkey",
    "sequence",
    "source",
    "specversion",
    "storeepoch",
    "subject",
    "time",
    "type",
];

/// Holds what every event says about itself.
#[track_caller]
fn is_cloud_event(event: &Value, sequence: usize, order: &Value, version: u64) {
    assert_eq!(keys(event), EVENT_KEYS, "{event}");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["datacontenttype"], "application/json");
    assert_eq!(event["subject"], *order);
    assert_eq!(event["partitionkey"], *order);
    assert_eq!(event["sequence"], format!("{sequence:020}"));
    assert_eq!(event["orderversion"].as_u64(), Some(version), "an integer: {event}");
    let id = event["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().hyphenated().to_string(), id);
}

#[test]
fn each_transition_publishes_its_event_with_its_data_and_its_time() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order, customer) = (json!(uuid()), json!(uuid()));
    let id = json!({"order_id": order});
    client.result("order.place", json!({"order_id": order, "customer_id": customer, "total_amount": 1234}));
    client.result("order.complete", id.clone());
    let reason = "\"später\"\n🦀 \\ \u{7f}";
    let done = client.result("order.cancel", json!({"order_id": order, "reason": reason}))["order"].clone();
    let events = events_of(&store, 3);
    assert_eq!(events.len(), 3);
    for (index, event) in events.iter().enumerate() {
        is_cloud_event(event, index + 1, &order, index as u64 + 1);
        assert_eq!(event["source"], "/orderd");
    }
    let common = json!({"order_id": order, "customer_id": customer, "total_amount": 1234});
    let with = |more: Value| {
        let mut data = common.clone();
        data.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        data
    };
    let expected = [
        ("OrderPlaced", "placed_at", with(json!({"placed_at": done["placed_at"]}))),
        ("OrderCompleted", "completed_at", with(json!({"completed_at": done["completed_at"]}))),
        (
            "OrderCancelled",
            "cancelled_at",
            with(json!({"cancelled_at": done["cancelled_at"], "cancelled_from": "completed", "reason": reason})),
        ),
    ];
    for (event, (kind, at, data)) in events.iter().zip(expected) {
        assert_eq!(event["type"], kind);
        assert_eq!(event["data"], data, "{kind}");
        assert_eq!(event["time"], done[at], "the time of {kind} is when it happened");
    }
}

#[test]
fn a_cancellation_says_from_what_and_why() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let reason_of_500 = "é".repeat(500);
    let cases = [
        (false, None, "placed"),
        (true, None, "completed"),
        (false, Some(""), "placed"),
        (true, Some(reason_of_500.as_str()), "completed"),
    ];
    for (completed, reason, _) in cases {
        let order = client.place(1);
        if completed {
            client.result("order.complete", json!({"order_id": order}));
        }
        let mut params = json!({"order_id": order});
        if let Some(reason) = reason {
            params["reason"] = json!(reason);
        }
        client.result("order.cancel", params);
    }
    let cancellations: Vec<Value> =
        events_of(&store, 10).into_iter().filter(|event| event["type"] == "OrderCancelled").collect();
    assert_eq!(cancellations.len(), cases.len());
    for (event, (_, reason, from)) in cancellations.iter().zip(cases) {
        assert_eq!(event["data"]["cancelled_from"], from);
        assert_eq!(event["data"]["reason"], json!(reason), "an empty reason is not a missing one");
    }
}

#[test]
fn the_source_is_the_configured_one() {
    let store = Store::with("event_source = \"https://shop.example/orders\"", "");
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    assert_eq!(events_of(&store, 1)[0]["source"], "https://shop.example/orders");
}

#[test]
fn the_sequence_counts_from_one_without_gaps_over_refusals_and_restarts() {
    let store = Store::new();
    let mut count = 0;
    for life in 0..4 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        for amount in 0..25 {
            let order = client.place(amount);
            client.call("order.complete", json!({"order_id": uuid()})).unwrap_err();
            client.result("order.cancel", json!({"order_id": order}));
            count += 2;
        }
        assert_eq!(client.status()["outbox"]["last_sequence"], count);
        if life % 2 == 0 { daemon.kill9() } else { daemon.stop() }
    }
    let _daemon = Daemon::start(&store);
    // A kill may have made some of them come twice: first deliveries are what is in order.
    crate::support::eventually(crate::support::DEADLINE, "every event in the sink", || {
        first_deliveries(&store).len() as u64 == count
    });
    let firsts = first_deliveries(&store);
    let expected: Vec<String> = (1..=count).map(|sequence| format!("{sequence:020}")).collect();
    assert_eq!(firsts, expected);
    let events = crate::support::events(&store.sink());
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len() as u64, count, "an id for each transition, the same on every delivery");
}

/// Sequences in the order in which the sink saw each for the first time.
fn first_deliveries(store: &Store) -> Vec<String> {
    let mut seen = BTreeSet::new();
    crate::support::events(&store.sink())
        .iter()
        .map(|event| event["sequence"].as_str().unwrap().to_owned())
        .filter(|sequence| seen.insert(sequence.clone()))
        .collect()
}

#[test]
fn an_event_delivered_again_is_byte_for_byte_the_first() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..10 {
        let order = client.place(amount);
        client.result("order.complete", json!({"order_id": order}));
        client.result("order.cancel", json!({"order_id": order, "reason": "größer <&> \u{2028}"}));
    }
    events_of(&store, 30);
    daemon.kill9();
    let first = lines(&store.sink());
    // The same outbox, once more to a new sink.
    store.configure("", "[[sinks]]\nname = \"second\"\ntype = \"file\"\npath = \"second.ndjson\"\n");
    let _daemon = Daemon::start(&store);
    crate::support::eventually(crate::support::DEADLINE, "the new sink has everything", || {
        lines(&store.path("second.ndjson")) == first[..30]
    });
}
