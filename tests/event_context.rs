//! `metadata` and trace context: they belong to the event that a command raises.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, events_of, uuid};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn what_came_with_a_command_is_in_its_event_and_in_no_other() {
    let store = Store::new();
    let daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let metadata = json!({"user": {"id": 7, "tags": ["a", "b"]}, "note": "grün 🦀", "none": null});
    let placed = client.result(
        "order.place",
        json!({"customer_id": uuid(), "total_amount": 1, "metadata": metadata, "traceparent": PARENT,
            "tracestate": "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"}),
    );
    assert!(placed["order"].get("metadata").is_none(), "it is not the order's: {placed}");
    client.result("order.complete", json!({"order_id": placed["order"]["order_id"]}));
    let events = events_of(&store, 2);
    assert_eq!(events[0]["data"]["metadata"], metadata);
    assert_eq!(events[0]["traceparent"], PARENT);
    assert_eq!(events[0]["tracestate"], "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE");
    for name in ["traceparent", "tracestate"] {
        assert!(events[1].get(name).is_none(), "{}", events[1]);
    }
    assert!(events[1]["data"].get("metadata").is_none(), "{}", events[1]);
    drop(daemon);
}

#[test]
fn metadata_is_kept_as_its_text_without_the_white_space_between_its_parts() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let text = r#"{ "b" : 1.50 , "a" : [ 1e2 , "x  y" ], "n":12345678901234567890123 }"#;
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{{"metadata":{text},"customer_id":"{}","total_amount":1}}}}"#,
        uuid()
    );
    assert!(client.ask(&line)["result"].is_object());
    events_of(&store, 1);
    let sink = std::fs::read_to_string(store.sink()).unwrap();
    let kept = r#""metadata":{"b":1.50,"a":[1e2,"x  y"],"n":12345678901234567890123}"#;
    assert!(sink.contains(kept), "{sink}");
}

#[test]
fn what_cannot_be_metadata_or_trace_context_is_refused_and_nothing_happens() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    let large = json!({"a": "x".repeat(16_384 - r#"{"a":""}"#.len())});
    let larger = json!({"a": "x".repeat(16_385 - r#"{"a":""}"#.len())});
    let with = |more: Value| {
        let mut params = json!({"customer_id": uuid(), "total_amount": 1});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    for good in [json!({"metadata": nested(32)}), json!({"metadata": large}), json!({"metadata": {}})] {
        client.result("order.place", with(good));
    }
    let bad = [
        json!({"metadata": nested(33)}),
        json!({"metadata": larger}),
        json!({"metadata": []}),
        json!({"metadata": null}),
        json!({"traceparent": PARENT.to_uppercase()}),
        json!({"traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01"}),
        json!({"tracestate": "a=1"}),
        json!({"traceparent": PARENT, "tracestate": "no entry"}),
        json!({"traceparent": PARENT, "tracestate": format!("a={}", "x".repeat(511))}),
    ];
    for params in bad {
        let error = client.call("order.place", with(params)).unwrap_err();
        assert_error(&error, -32602, "invalid_params");
    }
    let twice = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{{"metadata":{{"x":{{"a":1,"\u0061":2}}}},"customer_id":"{}","total_amount":1}}}}"#,
        uuid()
    );
    assert_error(&client.ask(&twice)["error"], -32602, "invalid_params");
    assert_eq!(client.status()["orders"]["count"], 3);
}

#[test]
fn a_command_is_the_same_whatever_its_trace_context_and_another_with_other_metadata() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (command_id, customer_id) = (uuid(), uuid());
    let mut place = |metadata: Value, traceparent: &str| {
        client.call(
            "order.place",
            json!({"customer_id": customer_id, "total_amount": 1, "command_id": command_id, "metadata": metadata,
                "traceparent": traceparent}),
        )
    };
    assert_eq!(place(json!({"a": 1}), PARENT).unwrap()["duplicate"], false);
    assert_eq!(place(json!({"a": 1}), &PARENT.replace("-01", "-00")).unwrap()["duplicate"], true);
    assert_error(&place(json!({"a": 2}), PARENT).unwrap_err(), 1004, "command_id_conflict");
}
