//! `order.trace`: an order's events, and where each of them is at each sink.

use serde_json::{Value, json};

use super::testing::{Bench, order};
use crate::contracts::{Command, OperatorRequest, OrderNotFound, Refusal, SkipTo};
use crate::domain::CancelReason;

fn trace(number: u64) -> OperatorRequest {
    OperatorRequest::OrderTrace { order_id: order(number) }
}

/// What the trace says of the events of order 1 at `mail`.
fn states(trace: &Value) -> Vec<Value> {
    let events = trace["events"].as_array().unwrap();
    events.iter().map(|event| event["sinks"][0]["state"].clone()).collect()
}

#[test]
fn an_order_is_followed_through_its_life_and_through_the_sinks() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.command(Command::Complete { order_id: order(1) });
    let reason = Some(CancelReason::new("out of stock").unwrap());
    bench.command(Command::Cancel { order_id: order(1), reason });
    bench.acknowledge(1);
    bench.hand_out(1, 2);
    let traced = bench.json(trace(1));
    assert_eq!(states(&traced), ["delivered", "in_flight", "pending"]);
    assert_eq!((&traced["order"]["status"], &traced["complete"]), (&json!("cancelled"), &json!(true)));
    assert_eq!(traced["order"]["placed_at"].as_str().unwrap().len(), 27);
    let event = &traced["events"][2];
    assert_eq!((&event["type"], &event["orderversion"]), (&json!("OrderCancelled"), &json!(3)));
    assert_eq!((&event["sequence"], &event["reason"]), (&json!(3), &json!("out of stock")));
    let sinks: Vec<_> = event["sinks"].as_array().unwrap().iter().map(|sink| sink["name"].clone()).collect();
    assert_eq!(sinks, ["mail", "file", "stdout", "old"]);
    assert_eq!(traced["events"][1]["sinks"][3]["state"], "delivered", "the old sink had got to event 2");
    assert_eq!(event["sinks"][3]["state"], "pending");
    assert_eq!(bench.ask(trace(9)), Err(Refusal::OrderNotFound(OrderNotFound(order(9)))));
}

#[test]
fn parked_and_skipped_events_are_told_apart() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.park("mail", 1);
    bench.acknowledge(1);
    let traced = bench.json(trace(1));
    let parked = json!({"name": "mail", "state": "parked", "attempts": 1, "reason": "unknown country"});
    assert_eq!(traced["events"][0]["sinks"][0], parked);
    let target = crate::contracts::RequeueTarget::Order(order(1));
    let requeue =
        OperatorRequest::LaneRequeue { sink: "mail".into(), target, limit: None, reason: None, dry_run: false };
    bench.ask(requeue).unwrap();
    assert_eq!(states(&bench.json(trace(1))), ["parked"], "until it went through");
    let skip = OperatorRequest::LaneSkip {
        sink: "mail".into(),
        order_id: order(1),
        sequence: crate::contracts::Sequence(1),
        reason: "r".into(),
    };
    bench.ask(skip).unwrap();
    assert_eq!(states(&bench.json(trace(1))), ["skipped"]);
    bench.command(Command::Complete { order_id: order(1) });
    bench
        .ask(OperatorRequest::SinkSkipTo { sink: "mail".into(), to: SkipTo::End, reason: "r".into(), dry_run: false })
        .unwrap();
    assert_eq!(states(&bench.json(trace(1))), ["skipped", "skipped"]);
}
