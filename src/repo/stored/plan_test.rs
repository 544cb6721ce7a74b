use std::sync::Arc;

use super::*;
use crate::contracts::{
    DecisionKind, EventType, LaneState, OutboxEntry, PublishedEvent, ReplaySpec, SinkStartPoint, SinkType,
    SnapshotStart,
};
use crate::domain::{CancelReason, Cents, CustomerId, EventContext, EventId, Order, OrderEvent, Timestamp};
use crate::repo::OrderTable;

const CONTEXT: PlanContext<'_> = PlanContext {
    first_sequence: Sequence(7_000_000),
    source: "/orderd",
    epoch: 2,
    previous_lsn: Lsn(6_999_999),
    before: None,
};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn remembered(mut order: Order) -> Plan {
    let mut plan = Plan::for_order(&OrderTable::default(), &mut order);
    let command_id = CommandId::new(Uuid::from_u128(0x33));
    plan.remember(ProcessedCommand { command_id, fingerprint: Fingerprint(Uuid::from_u128(0x44)) });
    plan
}

fn order_plans() -> [Plan; 3] {
    let now = 1_795_000_000_000_000;
    let amount = Cents::new(129_900).unwrap();
    let placed =
        Order::place(OrderId::new(Uuid::from_u128(0x11)), CustomerId::new(Uuid::from_u128(0x22)), amount, at(now));
    let mut completed = Order::rehydrate(*placed.state());
    completed.complete(at(now + 1)).unwrap();
    let mut cancelled = Order::rehydrate(*completed.state());
    cancelled.cancel(at(now + 2), Some(CancelReason::new("late").unwrap())).unwrap();
    let mut plans = [placed, completed, cancelled].map(remembered);
    let context = EventContext {
        metadata: Some(r#"{"a":1}"#.into()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracestate: Some("rojo=00f067aa0ba902b7".into()),
    };
    plans[2].attach(Some(&context));
    plans
}

fn snapshot() -> PublishedEvent {
    let mut order = Order::place(OrderId::new(Uuid::from_u128(0x11)), CustomerId::new(Uuid::nil()), Cents::MAX, at(5));
    order.complete(at(6)).unwrap();
    let (id, event) = (EventId::of_snapshot(order.state().order_id, 1, 4), OrderEvent::Snapshot(*order.state()));
    let entry = OutboxEntry { id, order_version: 2, event, context: None };
    PublishedEvent { sequence: Sequence(4), entry, source: "/orderd".into(), epoch: 1 }
}

/// A decision of every kind.
fn decision_plans() -> Vec<Plan> {
    let order_id = OrderId::new(Uuid::from_u128(0x11));
    let entry: OutboxEntry = order_plans()[2].outbox_entries().next().unwrap().clone();
    let event = PublishedEvent { sequence: Sequence(5), entry, source: "/orderd".into(), epoch: 1 };
    let replay_id = Uuid::from_u128(0x55);
    let start = SinkStartPoint {
        sink_type: SinkType::Subscription,
        after: Sequence(4),
        snapshot: Some(SnapshotStart { orders: 3, epoch: 2, lsn: Lsn(6) }),
        source: "/orderd".into(),
    };
    let spec = ReplaySpec {
        replay_id,
        from: Sequence(1),
        to: Sequence(300),
        types: vec![EventType::OrderCancelled],
        order_id: Some(order_id),
        rate_events_per_s_max: 500,
    };
    let kinds = [
        DecisionKind::Registered(start),
        DecisionKind::Forgotten,
        DecisionKind::Parked { order_id, state: LaneState::Rejected, attempts: 8, events: vec![Arc::new(event)] },
        DecisionKind::Requeued { order_id },
        DecisionKind::Delivered { events: vec![(order_id, Sequence(5))] },
        DecisionKind::LaneSkipped { order_id, sequence: Sequence(5) },
        DecisionKind::RangeSkipped { from: Sequence(6), to: Sequence(9) },
        DecisionKind::Paused,
        DecisionKind::Resumed,
        DecisionKind::Halted,
        DecisionKind::ReplayStarted(spec),
        DecisionKind::ReplayEnded { replay_id, cancelled: true, delivered: 2, failed: 1 },
        DecisionKind::SnapshotEnded,
        DecisionKind::Restored { epoch: 2 },
        DecisionKind::Parked { order_id, state: LaneState::Held, attempts: 1, events: vec![Arc::new(snapshot())] },
    ];
    let decision =
        |kind| Decision { sink: "mail".into(), at: at(1_795_000_000_000_000), uid: 1000, reason: "why".into(), kind };
    Plan::of_decisions(kinds.map(decision))
}

/// The context in which plan `number` of `plans` is stored.
fn context(number: usize) -> PlanContext<'static> {
    let (placed_at, completed_at) = (at(1_795_000_000_000_000), at(1_795_000_000_000_001));
    let before = [
        None,
        Some(OrderTimes { placed_at, completed_at: None }),
        Some(OrderTimes { placed_at, completed_at: Some(completed_at) }),
    ];
    PlanContext { before: before.get(number).copied().flatten(), ..CONTEXT }
}

fn plans() -> Vec<Plan> {
    order_plans().into_iter().chain(decision_plans()).collect()
}

#[test]
fn a_plan_reads_back_as_stored() {
    for (number, plan) in plans().into_iter().enumerate() {
        let mut body = vec![1, 2, 3];
        encode(&plan, context(number), &mut body);
        let stored = PlanRecord::decode(&body).unwrap();
        assert_eq!((stored.first_sequence, stored.source), (CONTEXT.first_sequence, CONTEXT.source));
        assert_eq!((stored.epoch, stored.previous_lsn), (CONTEXT.epoch, CONTEXT.previous_lsn));
        assert_eq!(stored.before, context(number).before);
        assert_eq!(stored.mutations, plan.mutations());
        assert_eq!(stored.encode_again(), body);
        assert!(PlanRecord::decode(&body[..body.len() - 1]).is_err());
        body.push(0);
        assert!(PlanRecord::decode(&body).is_err());
    }
}

#[test]
fn a_snapshot_in_the_outbox_is_damage() {
    let mut body = Vec::new();
    encode_mutations(&[Mutation::InsertOutbox(snapshot().entry)], CONTEXT, &mut body);
    assert!(matches!(PlanRecord::decode(&body), Err(PlanRecordError::Damaged(_))));
}

#[test]
fn a_plan_alone_says_what_its_order_is_after_it() {
    let mut before: Option<OrderState> = None;
    let mut expected: Vec<_> = vec![];
    for plan in order_plans() {
        let mut body = Vec::new();
        encode(&plan, PlanContext { before: before.as_ref().map(OrderTimes::from), ..CONTEXT }, &mut body);
        let after = PlanRecord::decode(&body).unwrap().order_after().unwrap();
        expected.push((after.status, after.version, after.placed_at, after.completed_at, after.cancelled_at));
        if let Some(before) = before {
            assert_eq!((after.customer_id, after.total_amount), (before.customer_id, before.total_amount));
            assert_eq!(after.as_of(before.version), before);
        }
        before = Some(after);
    }
    let now = 1_795_000_000_000_000;
    assert_eq!(
        expected,
        [
            (OrderStatus::Placed, 1, at(now), None, None),
            (OrderStatus::Completed, 2, at(now), Some(at(now + 1)), None),
            (OrderStatus::Cancelled, 3, at(now), Some(at(now + 1)), Some(at(now + 2))),
        ]
    );
    let mut decision = Vec::new();
    encode(&decision_plans()[0], CONTEXT, &mut decision);
    assert_eq!(PlanRecord::decode(&decision).unwrap().order_after(), None);
}

#[test]
fn a_plan_of_a_newer_version_is_told_from_damage() {
    let mut body = Vec::new();
    encode(&plans()[0], CONTEXT, &mut body);
    body[0] = 3;
    assert_eq!(PlanRecord::decode(&body), Err(PlanRecordError::Version(3)));
    assert!(matches!(PlanRecord::decode(&[]), Err(PlanRecordError::Damaged(_))));
}

#[test]
fn a_plan_with_its_frame_takes_at_most_256_bytes() {
    for (number, plan) in order_plans().iter().take(2).enumerate() {
        let mut body = Vec::new();
        encode(plan, PlanContext { first_sequence: Sequence(u64::from(u32::MAX)), ..context(number) }, &mut body);
        let frame = crate::journal::FRAME_HEADER_LEN + body.len().next_multiple_of(8);
        assert!(frame <= 256, "{frame} bytes");
    }
}

#[test]
fn a_stored_plan_keeps_its_bytes() {
    let stored: Vec<_> = plans()
        .iter()
        .enumerate()
        .map(|(number, plan)| {
            let mut body = Vec::new();
            encode(plan, context(number), &mut body);
            body.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        })
        .collect();
    let expected = include_str!("plan_golden.txt").lines().collect::<Vec<_>>();
    assert_eq!(stored, expected, "\n{}\n", stored.join("\n"));
}
