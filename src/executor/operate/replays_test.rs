//! `replay.*` and `decision.list`: ranges by number and time, filters, and what is out of range.

use serde_json::json;
use uuid::Uuid;

use super::testing::{Bench, REPLAYS_MAX, order};
use crate::contracts::{
    Command, DecisionKind, EventType, Lsn, OperatorRefusal, OperatorRequest, ReplayBound, ReplayRequest, ReplayView,
    Sequence,
};
use crate::domain::Timestamp;

fn request(from: u64, to: u64) -> ReplayRequest {
    ReplayRequest {
        sink: "mail".into(),
        from: ReplayBound::Sequence(Sequence(from)),
        to: ReplayBound::Sequence(Sequence(to)),
        types: Vec::new(),
        order_id: None,
        rate_events_per_s_max: 500,
        reason: Some("lost".into()),
        dry_run: false,
    }
}

fn start(request: ReplayRequest) -> OperatorRequest {
    OperatorRequest::ReplayStart(request)
}

/// Six orders, of which the first two are completed: events 1 to 8, all but the last acknowledged.
fn bench() -> Bench {
    let mut bench = Bench::new();
    (1..=6).for_each(|number| bench.place(number));
    (1..=2).for_each(|number| bench.command(Command::Complete { order_id: order(number) }));
    bench.acknowledge(7);
    bench
}

#[test]
fn a_replay_is_recorded_listed_and_cancelled() {
    let mut bench = bench();
    let dry = bench.json(start(ReplayRequest { dry_run: true, ..request(2, 7) }));
    assert_eq!(dry, json!({"replay_id": null, "events": 6, "first_sequence": 2, "last_sequence": 7}));
    assert!(bench.news().0.is_empty());
    let started = bench.json(start(request(2, 7)));
    assert_eq!((&started["events"], &started["first_sequence"]), (&json!(6), &json!(2)));
    let replay_id: Uuid = serde_json::from_value(started["replay_id"].clone()).unwrap();
    let (decisions, _) = bench.news();
    assert!(matches!(&decisions[0].kind, DecisionKind::ReplayStarted(spec) if spec.replay_id == replay_id));
    bench.run_replay(ReplayView { delivered: 2, failed: 1, reached: Sequence(4), eta_ms: Some(6) });
    let listed = json!({"replay_id": replay_id, "sink": "mail", "state": "running", "delivered": 2, "failed": 1,
        "remaining": 3, "eta_ms": 6});
    assert_eq!(bench.json(OperatorRequest::ReplayList), json!({"replays": [listed]}));
    for decided in [1, 0] {
        bench.ask(OperatorRequest::ReplayCancel { replay_id, reason: None }).unwrap();
        assert_eq!(bench.news().0.len(), decided);
    }
    let listed = &bench.json(OperatorRequest::ReplayList)["replays"][0];
    assert_eq!((&listed["state"], &listed["delivered"]), (&json!("cancelled"), &json!(2)));
    let unknown = OperatorRequest::ReplayCancel { replay_id: Uuid::nil(), reason: None };
    assert_eq!(bench.refusal(unknown), OperatorRefusal::ReplayNotFound(Uuid::nil()));
}

#[test]
fn filters_are_counted_and_parked_events_left_out() {
    let mut bench = bench();
    let completed = ReplayRequest { types: vec![EventType::OrderCompleted], dry_run: true, ..request(1, 7) };
    let counted = json!({"replay_id": null, "events": 1, "first_sequence": 7, "last_sequence": 7});
    assert_eq!(bench.json(start(completed.clone())), counted);
    let one_order = ReplayRequest { order_id: Some(order(1)), dry_run: true, ..request(1, 7) };
    let counted = json!({"replay_id": null, "events": 2, "first_sequence": 1, "last_sequence": 7});
    assert_eq!(bench.json(start(one_order.clone())), counted);
    bench.park("mail", 1);
    assert_eq!(bench.json(start(one_order))["events"], 1);
    assert_eq!(bench.json(start(ReplayRequest { dry_run: true, ..request(1, 7) }))["events"], 6);
    let none = ReplayRequest { types: vec![EventType::OrderCancelled], ..request(1, 7) };
    assert!(matches!(bench.refusal(start(none)), OperatorRefusal::Invalid(_)));
}

#[test]
fn a_range_is_what_the_sink_had_and_the_journal_holds() {
    let mut bench = bench();
    let out_of_range = |refusal| matches!(refusal, OperatorRefusal::OutOfRange { oldest: Sequence(1), .. });
    assert!(out_of_range(bench.refusal(start(request(0, 3)))), "there is no event 0");
    assert!(out_of_range(bench.refusal(start(request(1, 8)))), "the sink has not had event 8");
    assert!(matches!(bench.refusal(start(request(3, 2))), OperatorRefusal::Invalid(_)));
    let stdout = ReplayRequest { sink: "stdout".into(), ..request(1, 1) };
    assert!(matches!(bench.refusal(start(stdout)), OperatorRefusal::Invalid(_)));
    // All events of a stepped clock happened at one time.
    let [earliest, latest] = [Timestamp::MIN, Timestamp::MAX].map(ReplayBound::Time);
    let by_time = ReplayRequest { from: earliest, to: latest, dry_run: true, ..request(1, 1) };
    assert_eq!(bench.json(start(by_time.clone()))["last_sequence"], 7, "an end in time is no more than the sink had");
    assert!(out_of_range(bench.refusal(start(ReplayRequest { from: latest, ..by_time.clone() }))));
    assert!(out_of_range(bench.refusal(start(ReplayRequest { to: earliest, ..by_time }))));
}

#[test]
fn only_so_many_replays_of_a_sink_run_at_once() {
    let mut bench = bench();
    let started: Vec<_> = (0..REPLAYS_MAX).map(|_| bench.json(start(request(2, 7)))["replay_id"].clone()).collect();
    let full = OperatorRefusal::TooManyReplays { sink: "mail".into(), running: REPLAYS_MAX };
    assert_eq!(bench.refusal(start(request(2, 7))), full);
    assert_eq!(bench.json(start(ReplayRequest { dry_run: true, ..request(2, 7) }))["events"], 6);
    let replay_id = serde_json::from_value(started[1].clone()).unwrap();
    bench.ask(OperatorRequest::ReplayCancel { replay_id, reason: None }).unwrap();
    bench.ask(start(request(2, 7))).unwrap();
    assert_eq!(bench.refusal(start(request(2, 7))), full);
}

#[test]
fn decisions_are_listed_as_dump_prints_them() {
    let mut bench = bench();
    let list = |after: u64, limit| OperatorRequest::DecisionList { after_lsn: Lsn(after), limit };
    bench.ask(OperatorRequest::SinkPause { sink: "mail".into(), reason: Some("r".into()) }).unwrap();
    let all = bench.json(list(0, 100));
    let kinds: Vec<_> =
        all["decisions"].as_array().unwrap().iter().map(|line| line["delivery"]["kind"].clone()).collect();
    assert_eq!(kinds, ["registered", "registered", "registered", "registered", "paused"]);
    assert_eq!(all["next"], json!(null));
    let first = bench.json(list(0, 2));
    assert_eq!((first["decisions"].as_array().unwrap().len(), &first["next"]), (2, &json!(2)));
    assert_eq!(bench.json(list(4, 9))["decisions"][0]["delivery"]["reason"], "r");
}
