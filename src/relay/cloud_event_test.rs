use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::contracts::{OutboxEntry, Sequence};
use crate::domain::{CancelReason, EventContext, Order, OrderId};

const GOLDEN: &str = include_str!("cloud_event_golden.ndjson");

fn order() -> Order {
    let order_id = OrderId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    let customer_id = CustomerId::parse("7d444840-9dc0-11d1-b245-5ffdce74fad2").unwrap();
    Order::place(order_id, customer_id, Cents::new(1250).unwrap(), at(0))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_001 + micros).unwrap()
}

fn published(order: &Order, sequence: u64, source: &str) -> PublishedEvent {
    let entry = OutboxEntry::from(order.events().events().last().unwrap().clone());
    PublishedEvent { sequence: Sequence(sequence), entry, source: source.into(), epoch: 1 }
}

fn cancelled_for(reason: &str, source: &str) -> PublishedEvent {
    let mut order = order();
    order.cancel(at(1), Some(CancelReason::new(reason).unwrap())).unwrap();
    published(&order, 1, source)
}

fn rendered(event: &PublishedEvent) -> String {
    let mut out = b"before".to_vec();
    render(event, &mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
}

/// One of each type, with and without a reason, at both ends of every range.
fn history() -> Vec<PublishedEvent> {
    let mut completed = order();
    completed.complete(at(1_000_000)).unwrap();
    let mut cancelled_after = Order::rehydrate(*completed.state());
    cancelled_after.cancel(at(2_000_000), Some(CancelReason::new("too late: \"nöt\" today\n").unwrap())).unwrap();
    let mut cancelled = order();
    cancelled.cancel(Timestamp::MAX, None).unwrap();
    let mut with_context = published(&completed, 2, "/orderd");
    with_context.epoch = 3;
    with_context.entry.context = Some(Box::new(EventContext {
        metadata: Some(r#"{"tenant":"nöt","n":[1,2.50]}"#.into()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        tracestate: Some("vendor=a\"b".into()),
    }));
    let [least, most] = [Uuid::nil(), Uuid::max()].map(|id| (OrderId::new(id), CustomerId::new(id)));
    vec![
        published(&order(), 1, "/orderd"),
        published(&completed, 2, "/orderd"),
        published(&cancelled_after, 3, "https://shop.example/orders"),
        published(&cancelled, u64::MAX, "/orderd"),
        published(&Order::place(least.0, least.1, Cents::new(0).unwrap(), Timestamp::MIN), 0, "a\\b\"c"),
        published(&Order::place(most.0, most.1, Cents::MAX, Timestamp::MAX), 10, "/orderd"),
        with_context,
    ]
}

#[test]
fn events_are_written_byte_for_byte_as_they_always_were() {
    let written: String = history().iter().map(|event| rendered(event) + "\n").collect();
    assert_eq!(written, GOLDEN, "consumers compare redelivered events by their bytes: never change the golden file");
}

#[test]
fn an_event_has_the_members_of_cloud_events_and_their_meaning() {
    let event = &history()[2];
    let value: Value = serde_json::from_str(&rendered(event)).unwrap();
    assert_eq!(
        value,
        json!({
            "specversion": "1.0",
            "id": event.entry.id.to_string(),
            "source": "https://shop.example/orders",
            "type": "OrderCancelled",
            "subject": "01890a5d-ac96-774b-bcce-b302099a8057",
            "time": "2026-11-18T11:06:42.000001Z",
            "datacontenttype": "application/json",
            "partitionkey": "01890a5d-ac96-774b-bcce-b302099a8057",
            "sequence": "00000000000000000003",
            "orderversion": 3,
            "storeepoch": 1,
            "data": {
                "order_id": "01890a5d-ac96-774b-bcce-b302099a8057",
                "customer_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
                "total_amount": 1250,
                "cancelled_at": "2026-11-18T11:06:42.000001Z",
                "cancelled_from": "completed",
                "reason": "too late: \"nöt\" today\n",
            },
        })
    );
}

#[test]
fn any_reason_and_any_source_come_back_from_one_line_of_json() {
    let all_ascii: String = (0..=127_u8).map(char::from).collect();
    let controls = "\u{1}".repeat(CancelReason::CHARS_MAX);
    let wide = "\u{1f69a}".repeat(CancelReason::CHARS_MAX);
    for text in ["", "\"", "\\", "\n\r\t", "\u{2028}\u{2029}\u{feff}", "\0", "ß\u{7f}", &all_ascii, &controls, &wide] {
        for (reason, source) in [(text, "/orderd"), ("plain", text)] {
            let line = rendered(&cancelled_for(reason, source));
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&value["data"]["reason"], &value["source"]), (&json!(reason), &json!(source)), "{line}");
            assert!(line.bytes().all(|byte| byte >= b' '), "a line holds no control character: {line}");
            assert!(line.starts_with(PREFIX));
            assert!(line.len() <= BYTES_MAX, "{} bytes", line.len());
        }
    }
}

#[test]
fn the_same_event_gives_the_same_bytes() {
    for event in history() {
        assert_eq!(rendered(&event), rendered(&event.clone()));
    }
}
