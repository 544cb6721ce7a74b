//! The params of operators' methods, through whole lines.

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{AttachCall, Call, Limits};
use super::jsonrpc::{Incoming, read};
use super::rpc_error::ErrorKind;
use crate::contracts::{
    EventType, LaneFilter, LaneState, Lsn, OperatorRequest, ReplayBound, ReplayRequest, Request, RequeueTarget,
    Sequence, SkipTo,
};
use crate::domain::{OrderId, Timestamp};

const A: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn order() -> OrderId {
    OrderId::parse(A).unwrap()
}

fn line(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

#[track_caller]
fn reads(method: &str, params: &Value, expected: OperatorRequest) {
    let line = line(method, params);
    match read(line.as_bytes(), &Limits::of_metadata(100)) {
        Incoming::Call { id: Some("1"), call: Call::Execute(Request::Operate(request)), method: read } => {
            assert_eq!((*request, read.spec().name), (expected, method));
        }
        other @ (Incoming::Call { .. } | Incoming::Refused { .. }) => panic!("{line} is {other:?}"),
    }
}

#[track_caller]
fn refuses(method: &str, params: &Value, says: &str) {
    let line = line(method, params);
    match read(line.as_bytes(), &Limits::of_metadata(100)) {
        Incoming::Refused { id: Some("1"), error } => {
            assert_eq!(error.kind, ErrorKind::InvalidParams, "{line}");
            assert!(error.message.contains(says), "{line}: {:?} does not say {says:?}", error.message);
        }
        other @ (Incoming::Call { .. } | Incoming::Refused { .. }) => panic!("{line} is {other:?}"),
    }
}

#[test]
fn sinks_are_operated_by_name_with_a_reason() {
    use OperatorRequest as R;
    let sink = || "events".to_owned();
    let why = || Some("why not".to_owned());
    reads("sink.list", &json!({}), R::SinkList);
    reads("sink.show", &json!({"sink": "events"}), R::SinkShow { sink: sink() });
    reads("sink.pause", &json!({"sink": "events"}), R::SinkPause { sink: sink(), reason: None });
    let with_reason = json!({"sink": "events", "reason": "why not"});
    reads("sink.pause", &with_reason, R::SinkPause { sink: sink(), reason: why() });
    reads("sink.resume", &with_reason, R::SinkResume { sink: sink(), reason: why() });
    reads("sink.retry", &with_reason, R::SinkRetry { sink: sink(), reason: why() });
    reads("sink.forget", &with_reason, R::SinkForget { sink: sink(), reason: "why not".into() });
    reads(
        "sink.skip_to",
        &json!({"sink": "events", "sequence": 7, "reason": "why not"}),
        R::SinkSkipTo { sink: sink(), to: SkipTo::Sequence(Sequence(7)), reason: "why not".into(), dry_run: false },
    );
    reads(
        "sink.skip_to",
        &json!({"sink": "events", "sequence": "end", "reason": "why not", "dry_run": true}),
        R::SinkSkipTo { sink: sink(), to: SkipTo::End, reason: "why not".into(), dry_run: true },
    );
    refuses("sink.show", &json!({}), "sink is missing");
    refuses("sink.show", &json!({"sink": ""}), "1 to 100 characters");
    refuses("sink.show", &json!({"sink": 5}), "got a number");
    refuses("sink.forget", &json!({"sink": "events"}), "reason is missing");
    refuses("sink.forget", &json!({"sink": "events", "reason": ""}), "1 to 500 characters");
    refuses("sink.pause", &json!({"sink": "events", "reason": "x".repeat(501)}), "1 to 500 characters");
    for sequence in [json!(0), json!("7"), json!("END"), json!(1.5), json!(null)] {
        refuses("sink.skip_to", &json!({"sink": "e", "sequence": sequence, "reason": "r"}), "or \"end\"");
    }
    refuses("sink.list", &json!({"sink": "events"}), "takes no params");
}

#[test]
fn lanes_are_named_by_order_or_all_at_once_with_filters() {
    use OperatorRequest as R;
    let sink = || "s".to_owned();
    let one = json!({"sink": "s", "order_id": A});
    let filter = LaneFilter { state: Some(LaneState::Rejected), reason_contains: Some("422".into()) };
    reads(
        "lane.list",
        &json!({"sink": "s"}),
        R::LaneList { sink: sink(), filter: LaneFilter::default(), after: None, limit: 100 },
    );
    reads(
        "lane.list",
        &json!({"sink": "s", "state": "rejected", "reason_contains": "422", "after": A, "limit": 5}),
        R::LaneList { sink: sink(), filter: filter.clone(), after: Some(order()), limit: 5 },
    );
    reads("lane.show", &one, R::LaneShow { sink: sink(), order_id: order() });
    let requeue = |target, limit, dry_run| R::LaneRequeue { sink: sink(), target, limit, reason: None, dry_run };
    reads("lane.requeue", &one, requeue(RequeueTarget::Order(order()), None, false));
    reads(
        "lane.requeue",
        &json!({"sink": "s", "all": true, "state": "rejected", "reason_contains": "422", "limit": 9, "dry_run": true}),
        requeue(RequeueTarget::All(filter), Some(9), true),
    );
    reads(
        "lane.skip",
        &json!({"sink": "s", "order_id": A, "sequence": 3, "reason": "r"}),
        R::LaneSkip { sink: sink(), order_id: order(), sequence: Sequence(3), reason: "r".into() },
    );
    let park = json!({"sink": "s", "order_id": A, "reason": "r"});
    reads("lane.park", &park, R::LanePark { sink: sink(), order_id: order(), reason: "r".into() });
    refuses("lane.list", &json!({"sink": "s", "state": "parked"}), "\"retrying\", \"rejected\"");
    refuses("lane.list", &json!({"sink": "s", "limit": 0}), "from 1 to 10000");
    refuses("lane.requeue", &json!({"sink": "s"}), "either order_id or all: true");
    refuses("lane.requeue", &json!({"sink": "s", "order_id": A, "all": true}), "either order_id or all: true");
    refuses("lane.requeue", &json!({"sink": "s", "order_id": A, "state": "held"}), "go with all");
    refuses("lane.requeue", &json!({"sink": "s", "all": 1}), "true or false");
    refuses("lane.skip", &json!({"sink": "s", "order_id": A, "reason": "r"}), "sequence is missing");
}

#[test]
fn a_replay_has_two_ends_each_a_sequence_or_a_time() {
    let time = Timestamp::from_micros(1_795_000_000_000_000).unwrap();
    let least = ReplayRequest {
        sink: "s".into(),
        from: ReplayBound::Sequence(Sequence(1)),
        to: ReplayBound::Time(time),
        types: Vec::new(),
        order_id: None,
        rate_events_per_s_max: 500,
        reason: None,
        dry_run: false,
    };
    for text in ["2026-11-18T11:06:40Z", "2026-11-18T12:06:40.000000+01:00"] {
        let params = json!({"sink": "s", "from": 1, "to": text});
        reads("replay.start", &params, OperatorRequest::ReplayStart(least.clone()));
    }
    let all = ReplayRequest {
        to: ReplayBound::Sequence(Sequence(9)),
        types: vec![EventType::OrderPlaced, EventType::OrderCancelled],
        order_id: Some(order()),
        rate_events_per_s_max: 7,
        reason: Some("r".into()),
        dry_run: true,
        ..least
    };
    let params = json!({"sink": "s", "from": 1, "to": 9, "types": ["OrderPlaced", "OrderCancelled"], "order_id": A,
        "rate_events_per_s_max": 7, "reason": "r", "dry_run": true});
    reads("replay.start", &params, OperatorRequest::ReplayStart(all));
    refuses("replay.start", &json!({"sink": "s", "from": 1}), "to is missing");
    refuses("replay.start", &json!({"sink": "s", "from": 0, "to": 9}), "from must be an integer from 1");
    refuses("replay.start", &json!({"sink": "s", "from": "yesterday", "to": 9}), "or a time such as");
    refuses("replay.start", &json!({"sink": "s", "from": 1, "to": 9, "types": ["OrderLost"]}), "an array of");
    refuses("replay.start", &json!({"sink": "s", "from": 1, "to": 9, "rate_events_per_s_max": 0}), "from 1 to");
    let replay_id = Uuid::parse_str(A).unwrap();
    let cancel = OperatorRequest::ReplayCancel { replay_id, reason: None };
    reads("replay.cancel", &json!({"replay_id": A}), cancel);
    refuses("replay.cancel", &json!({"replay_id": A.replace('-', "")}), "hyphenated UUID");
    reads("replay.list", &json!({}), OperatorRequest::ReplayList);
}

#[test]
fn decisions_orders_and_pins() {
    use OperatorRequest as R;
    reads("decision.list", &json!({}), R::DecisionList { after_lsn: Lsn::ZERO, limit: 100 });
    reads("decision.list", &json!({"after_lsn": 5, "limit": 1}), R::DecisionList { after_lsn: Lsn(5), limit: 1 });
    reads("order.trace", &json!({"order_id": A}), R::OrderTrace { order_id: order() });
    reads("store.pin", &json!({}), R::StorePin);
    reads("store.unpin", &json!({"pin": 3}), R::StoreUnpin { pin: 3 });
    refuses("store.unpin", &json!({}), "pin is missing");
}

#[test]
fn a_program_says_what_it_is_when_it_attaches() {
    let limits = Limits::of_metadata(100);
    let least = json!({"sink": "s", "protocol": 1, "program": "p"});
    let line_of = |params: &Value| line("sink.attach", params);
    let expected =
        AttachCall { sink: "s".into(), protocol: 1, program: "p".into(), in_flight_max: None, take_over: false };
    let text = line_of(&least);
    match read(text.as_bytes(), &limits) {
        Incoming::Call { call: Call::Attach(call), .. } => assert_eq!(call, expected),
        other @ (Incoming::Call { .. } | Incoming::Refused { .. }) => panic!("{other:?}"),
    }
    let text = line_of(&json!({"sink": "s", "protocol": 2, "program": "p", "in_flight_max": 5, "take_over": true}));
    match read(text.as_bytes(), &limits) {
        Incoming::Call { call: Call::Attach(call), .. } => {
            assert_eq!(call, AttachCall { protocol: 2, in_flight_max: Some(5), take_over: true, ..expected });
        }
        other @ (Incoming::Call { .. } | Incoming::Refused { .. }) => panic!("{other:?}"),
    }
    refuses("sink.attach", &json!({"sink": "s", "protocol": "1", "program": "p"}), "protocol must be an integer");
    refuses("sink.attach", &json!({"sink": "s", "protocol": 1, "program": "x".repeat(101)}), "1 to 100 characters");
    refuses("sink.attach", &json!({"sink": "s", "protocol": 1, "program": "p", "in_flight_max": 0}), "from 1");
    let silent = text.replace("\"id\":1,", "");
    match read(silent.as_bytes(), &limits) {
        Incoming::Refused { id: Some("null"), error } => assert_eq!(error.kind, ErrorKind::InvalidRequest),
        other @ (Incoming::Call { .. } | Incoming::Refused { .. }) => panic!("{other:?}"),
    }
}
