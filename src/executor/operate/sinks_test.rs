//! `sink.*`: what is recorded, what is not, and what is counted.

use serde_json::json;

use super::testing::{Bench, UID, envelope, order};
use crate::contracts::{
    DecisionKind, OperatorRefusal, OperatorRequest, OperatorResult, Outcome, PlanStore, Request, Sequence, SkipTo,
};

fn pause(sink: &str) -> OperatorRequest {
    OperatorRequest::SinkPause { sink: sink.into(), reason: Some("maintenance".into()) }
}

fn resume() -> OperatorRequest {
    OperatorRequest::SinkResume { sink: "mail".into(), reason: None }
}

fn skip_to(to: SkipTo, dry_run: bool) -> OperatorRequest {
    OperatorRequest::SinkSkipTo { sink: "mail".into(), to, reason: "r".into(), dry_run }
}

#[test]
fn a_pause_is_recorded_once_with_who_and_why() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        assert_eq!(bench.ask(pause("mail")), Ok(OperatorResult::Done {}));
    }
    let (decisions, _) = bench.news();
    assert_eq!(decisions.len(), 1, "twice does no harm, and is no second decision");
    assert_eq!((decisions[0].uid, &*decisions[0].reason, &*decisions[0].sink), (UID, "maintenance", "mail"));
    assert!(bench.executor.store().sink("mail").unwrap().paused);
    bench.ask(resume()).unwrap();
    bench.ask(resume()).unwrap();
    assert_eq!(bench.news().0.len(), 1);
    assert_eq!(bench.refusal(pause("nobody")), OperatorRefusal::SinkNotFound("nobody".into()));
}

#[test]
fn a_retry_reaches_the_worker_and_is_not_recorded() {
    let mut bench = Bench::new();
    bench.ask(OperatorRequest::SinkRetry { sink: "mail".into(), reason: None }).unwrap();
    assert_eq!(bench.news(), (Vec::new(), true));
}

#[test]
fn skipping_counts_what_is_passed_over_and_nothing_else() {
    let mut bench = Bench::new();
    (1..=10).for_each(|number| bench.place(number));
    bench.park("mail", 4);
    bench.acknowledge(3);
    bench.deliver(6);
    // 4 is parked, 6 is delivered.
    let passed = json!({"events": 3, "first_sequence": 5, "last_sequence": 8});
    assert_eq!(bench.json(skip_to(SkipTo::Sequence(Sequence(9)), true)), passed);
    assert!(bench.news().0.is_empty(), "a dry run decides nothing");
    assert_eq!(bench.json(skip_to(SkipTo::Sequence(Sequence(9)), false)), passed);
    let (decisions, _) = bench.news();
    let range = DecisionKind::RangeSkipped { from: Sequence(4), to: Sequence(8) };
    assert_eq!(decisions.iter().map(|decision| &decision.kind).collect::<Vec<_>>(), [&range]);
    let left = json!({"events": 2, "first_sequence": 9, "last_sequence": 10});
    assert_eq!(bench.json(skip_to(SkipTo::End, true)), left, "what was skipped is not counted again");
    let nothing = json!({"events": 0, "first_sequence": null, "last_sequence": null});
    assert_eq!(bench.json(skip_to(SkipTo::Sequence(Sequence(2)), false)), nothing);
    assert!(matches!(bench.refusal(skip_to(SkipTo::Sequence(Sequence(12)), true)), OperatorRefusal::Invalid(_)));
    assert!(bench.news().0.is_empty());
}

#[test]
fn only_a_sink_that_is_no_longer_configured_can_be_forgotten() {
    let mut bench = Bench::new();
    (1..=3).for_each(|number| bench.place(number));
    let forget = |sink: &str| OperatorRequest::SinkForget { sink: sink.into(), reason: "r".into() };
    assert_eq!(bench.refusal(forget("mail")), OperatorRefusal::SinkConfigured("mail".into()));
    let sinks = bench.json(OperatorRequest::SinkList);
    let names: Vec<_> = sinks["sinks"].as_array().unwrap().iter().map(|sink| (&sink["name"], &sink["state"])).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(names[3], (&json!("old"), &json!("stopped")));
    assert_eq!((&sinks["sinks"][3]["acked_sequence"], &sinks["sinks"][3]["lag_events"]), (&json!(2), &json!(1)));
    assert!(matches!(
        bench.refusal(OperatorRequest::LanePark { sink: "old".into(), order_id: order(1), reason: "r".into() }),
        OperatorRefusal::Invalid(_)
    ));
    bench.ask(forget("old")).unwrap();
    assert_eq!(*bench.forgotten.lock().unwrap(), ["old"]);
    assert_eq!(bench.refusal(forget("old")), OperatorRefusal::SinkNotFound("old".into()));
}

#[test]
fn a_sink_is_shown_with_its_failures() {
    let shown = Bench::new().json(OperatorRequest::SinkShow { sink: "mail".into() });
    assert_eq!(shown["sink"]["name"], "mail");
    let failure = json!({"at": "1970-01-01T00:00:00.000001Z", "sequence": 1, "order_id": order(1).to_string(),
        "attempt": 1, "outcome": "failed", "reason": "no route"});
    assert_eq!(shown["failures"], json!([failure]));
}

#[test]
fn a_pin_is_its_connections_own() {
    let mut bench = Bench::new();
    let pinned = bench.json(OperatorRequest::StorePin);
    assert_eq!(pinned["lsn"], 4, "the four registrations are durable");
    assert!(bench.pins.any());
    bench.ask(OperatorRequest::StoreUnpin { pin: pinned["pin"].as_u64().unwrap() }).unwrap();
    assert!(!bench.pins.any());
    assert!(matches!(bench.refusal(OperatorRequest::StoreUnpin { pin: 99 }), OperatorRefusal::Invalid(_)));
}

#[test]
fn an_operator_is_answered_on_what_is_durable_in_the_order_of_the_requests() {
    let mut bench = Bench::new();
    (1..=2).for_each(|number| bench.place(number));
    let get = |ticket| envelope(ticket, Request::Get { order_id: order(1) });
    let operate = envelope(1, Request::Operate(Box::new(pause("mail"))));
    let trace = envelope(2, Request::Operate(Box::new(OperatorRequest::OrderTrace { order_id: order(2) })));
    let answers = bench.executor.run(&[get(0), operate, trace, get(3)]).unwrap();
    assert_eq!(answers.iter().map(|answer| answer.ticket.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(!answers.iter().any(|answer| matches!(answer.outcome, Outcome::Refused(_))), "{answers:?}");
}
