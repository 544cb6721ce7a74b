//! `lane.*`: parked lanes are listed, shown, handed out again, skipped and parked by hand.

use serde_json::json;

use super::testing::{Bench, order};
use crate::contracts::{
    Command, DecisionKind, LaneFilter, LaneState, OperatorRefusal, OperatorRequest, OperatorResult, PlanStore,
    RequeueTarget, Sequence,
};

fn list(filter: LaneFilter, after: Option<u64>, limit: usize) -> OperatorRequest {
    OperatorRequest::LaneList { sink: "mail".into(), filter, after: after.map(order), limit }
}

fn requeue(target: RequeueTarget, limit: Option<usize>, dry_run: bool) -> OperatorRequest {
    OperatorRequest::LaneRequeue { sink: "mail".into(), target, limit, reason: Some("fixed".into()), dry_run }
}

fn skip(number: u64, sequence: u64) -> OperatorRequest {
    let (sink, reason) = ("mail".into(), "r".into());
    OperatorRequest::LaneSkip { sink, order_id: order(number), sequence: Sequence(sequence), reason }
}

fn park(sink: &str, number: u64) -> OperatorRequest {
    OperatorRequest::LanePark { sink: sink.into(), order_id: order(number), reason: "by hand".into() }
}

#[test]
fn a_list_goes_on_where_the_last_one_ended() {
    let mut bench = Bench::new();
    (1..=5).for_each(|number| bench.place(number));
    bench.park("mail", 5);
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let Ok(OperatorResult::Lanes { lanes, next }) = bench.ask(list(LaneFilter::default(), after, 2)) else {
            panic!("a list")
        };
        found.extend(lanes.iter().map(|lane| lane.order_id));
        let Some(next) = next else { break };
        after = (1..=5).find(|number| order(*number) == next);
    }
    assert_eq!(found, (1..=5).map(order).collect::<Vec<_>>());
    let held = LaneFilter { state: Some(LaneState::Held), reason_contains: None };
    let other = LaneFilter { state: None, reason_contains: Some("known count".into()) };
    assert_eq!(bench.json(list(held, None, 9))["lanes"], json!([]));
    assert_eq!(bench.json(list(other, None, 9))["lanes"].as_array().unwrap().len(), 5);
}

#[test]
fn a_lane_is_shown_with_its_events_as_the_sink_sees_them() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.park("mail", 1);
    let shown = bench.json(OperatorRequest::LaneShow { sink: "mail".into(), order_id: order(1) });
    assert_eq!(shown["lane"]["state"], "rejected");
    assert_eq!(shown["events"][0]["sequence"], "00000000000000000001");
    assert_eq!(shown["events"][0]["type"], "OrderPlaced");
    let missing = OperatorRequest::LaneShow { sink: "file".into(), order_id: order(1) };
    assert!(matches!(bench.refusal(missing), OperatorRefusal::LaneNotFound(_)));
}

#[test]
fn one_lane_is_requeued_once() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.park("mail", 1);
    let touched = json!({"lanes": 1, "events": 1, "first_sequence": 1, "last_sequence": 1});
    for decided in [1, 0] {
        assert_eq!(bench.json(requeue(RequeueTarget::Order(order(1)), None, false)), touched);
        assert_eq!(bench.news().0.len(), decided);
    }
    let missing = requeue(RequeueTarget::Order(order(2)), None, false);
    assert!(matches!(bench.refusal(missing), OperatorRefusal::LaneNotFound(_)));
}

#[test]
fn many_lanes_are_requeued_batch_by_batch_and_again_does_the_rest() {
    const LANES: u64 = 1200;
    let mut bench = Bench::new();
    (1..=LANES).for_each(|number| bench.place(number));
    bench.park("mail", LANES);
    let all = || RequeueTarget::All(LaneFilter::default());
    let dry = bench.json(requeue(all(), None, true));
    assert_eq!(dry, json!({"lanes": LANES, "events": LANES, "first_sequence": 1, "last_sequence": LANES}));
    assert!(bench.news().0.is_empty());
    assert_eq!(bench.json(requeue(all(), Some(100), false))["lanes"], 100);
    assert_eq!(bench.json(requeue(all(), None, false))["lanes"], LANES - 100);
    let (decisions, _) = bench.news();
    assert_eq!(decisions.len() as u64, LANES);
    assert!(decisions.iter().all(|decision| matches!(decision.kind, DecisionKind::Requeued { .. })));
    assert_eq!(bench.json(requeue(all(), None, false))["lanes"], 0);
}

#[test]
fn only_the_first_event_that_is_not_in_flight_is_skipped() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.park("mail", 1);
    assert!(matches!(bench.refusal(skip(1, 2)), OperatorRefusal::Invalid(_)));
    bench.hand_out(1, 1);
    let in_flight = bench.refusal(skip(1, 1));
    assert!(in_flight.to_string().contains("in flight"), "{in_flight}");
    bench.hand_out(1, 7);
    bench.ask(skip(1, 1)).unwrap();
    assert!(bench.executor.store().sink("mail").unwrap().lanes.is_empty());
    assert!(matches!(bench.refusal(skip(1, 1)), OperatorRefusal::LaneNotFound(_)));
}

#[test]
fn parking_by_hand_takes_what_the_sink_has_not_settled() {
    let mut bench = Bench::new();
    bench.place(1);
    bench.command(Command::Complete { order_id: order(1) });
    bench.place(3);
    bench.acknowledge(1);
    bench.ask(park("mail", 1)).unwrap();
    let lane = bench.executor.store().sink("mail").unwrap().lanes[&order(1)].clone();
    assert_eq!(lane.state, LaneState::Held);
    assert_eq!(lane.events.iter().map(|event| event.sequence.0).collect::<Vec<_>>(), [2]);
    bench.deliver(3);
    for (sink, number) in [("mail", 3), ("mail", 99), ("file", 1)] {
        assert!(matches!(bench.refusal(park(sink, number)), OperatorRefusal::LaneNotFound(_)), "{sink} {number}");
    }
    // A lane that is parked is held from now on, with what came meanwhile.
    bench.command(Command::Cancel { order_id: order(1), reason: None });
    bench.ask(park("mail", 1)).unwrap();
    let lane = &bench.executor.store().sink("mail").unwrap().lanes[&order(1)];
    assert_eq!(lane.events.iter().map(|event| event.sequence.0).collect::<Vec<_>>(), [2, 4]);
}
