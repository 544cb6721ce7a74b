//! Two daemons on one database: what each sees of the other, and what a lost answer comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::PostgresStore;
use super::testing::{Proxy, TestDatabase};
use crate::contracts::{
    CommitError, Contested, Decision, DecisionInbox, DecisionKind, DecisionNews, EventType, Fingerprint, LaneState,
    Lsn, OrderRepository as _, OutboxEntry, Plan, PlanStore, ProcessedCommand, PublishedEvent, ReplaySpec, Sequence,
    SinkStartPoint, SinkType,
};
use crate::domain::{Cents, CommandId, CustomerId, EventContext, Order, OrderId, Timestamp};

const SINK: &str = "mail";

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn order_id(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

fn placement(store: &PostgresStore, number: u128) -> Plan {
    let customer_id = CustomerId::new(Uuid::from_u128(7));
    Plan::for_order(store, &mut Order::place(order_id(number), customer_id, Cents::new(5).unwrap(), at(1000)))
}

fn place(store: &mut PostgresStore, number: u128) -> Plan {
    let plan = placement(store, number);
    store.stage(&plan).unwrap();
    plan
}

fn decision(kind: DecisionKind) -> Decision {
    Decision { sink: SINK.into(), at: at(5), uid: 7, reason: "it's \"why\"".into(), kind }
}

fn registered() -> DecisionKind {
    let source = "/orderd".into();
    DecisionKind::Registered(SinkStartPoint {
        sink_type: SinkType::Subscription,
        after: Sequence::ZERO,
        snapshot: None,
        source,
    })
}

fn decide(store: &mut PostgresStore, kinds: impl IntoIterator<Item = DecisionKind>) -> Result<(), CommitError> {
    store.stage_decisions(None, kinds.into_iter().map(decision).collect())?;
    store.commit().map(drop)
}

/// The first event of an order, as its plan says.
fn event(entry: &OutboxEntry, sequence: u64) -> Arc<PublishedEvent> {
    let sequence = Sequence(sequence);
    Arc::new(PublishedEvent { sequence, entry: entry.clone(), source: "/orderd".into(), epoch: 1 })
}

fn inbox_of(store: &mut PostgresStore) -> Arc<DecisionInbox> {
    let inbox = Arc::new(DecisionInbox::new(Box::new(|| {})));
    store.set_inboxes(BTreeMap::from([(Arc::from(SINK), Arc::clone(&inbox))]));
    inbox
}

/// Everything that can be decided, in one batch and in several: the tables say the same as what is kept in memory.
#[test]
fn what_was_decided_is_read_back_by_a_daemon_that_starts_later() {
    let database = TestDatabase::create();
    let mut store = database.open();
    let contexts = [
        Some(EventContext { metadata: Some(r#"{"a":[1,"\\u0000 \"x\""]}"#.into()), ..EventContext::default() }),
        Some(EventContext {
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            tracestate: Some("a=b".into()),
            ..EventContext::default()
        }),
        None,
    ];
    let mut events = Vec::new();
    for (number, context) in (1..).zip(&contexts) {
        let mut plan = placement(&store, number);
        plan.attach(context.as_ref());
        store.stage(&plan).unwrap();
        events.push(event(plan.outbox_entries().next().unwrap(), u64::try_from(number).unwrap()));
    }
    store.commit().unwrap();
    decide(&mut store, [registered()]).unwrap();
    let parked = |number: u128, state| DecisionKind::Parked {
        order_id: order_id(number),
        state,
        attempts: 3,
        events: vec![Arc::clone(&events[usize::try_from(number).unwrap() - 1])],
    };
    let replay = |id: u128| ReplaySpec {
        replay_id: Uuid::from_u128(id),
        from: Sequence(1),
        to: Sequence(2),
        types: vec![EventType::OrderPlaced, EventType::OrderCancelled],
        order_id: Some(order_id(1)),
        rate_events_per_s_max: 500,
    };
    let ended = |id: u128, cancelled| DecisionKind::ReplayEnded {
        replay_id: Uuid::from_u128(id),
        cancelled,
        delivered: 4,
        failed: 1,
    };
    let batches = [
        vec![parked(1, LaneState::Rejected), parked(2, LaneState::Retrying), DecisionKind::Paused],
        vec![parked(3, LaneState::Held), DecisionKind::Requeued { order_id: order_id(1) }],
        vec![DecisionKind::Delivered { events: vec![(order_id(1), Sequence(1))] }, DecisionKind::Halted],
        vec![DecisionKind::LaneSkipped { order_id: order_id(3), sequence: Sequence(3) }],
        vec![DecisionKind::RangeSkipped { from: Sequence(2), to: Sequence(9) }, DecisionKind::SnapshotEnded],
        vec![DecisionKind::ReplayStarted(replay(1)), DecisionKind::ReplayStarted(replay(2)), ended(1, false)],
        vec![DecisionKind::ReplayStarted(replay(3)), ended(3, true), DecisionKind::Restored { epoch: 4 }],
    ];
    for batch in batches {
        decide(&mut store, batch).unwrap();
        let later = database.open();
        assert_eq!(later.sink(SINK), store.sink(SINK), "tables and memory say the same");
    }
    let record = store.sink(SINK).unwrap();
    assert_eq!((record.lanes.len(), record.replays.len(), record.parked_events), (1, 3, 1));
    assert_eq!(record.lanes[&order_id(2)].events[0], events[1], "the parked event, as it was stored");
    place(&mut store, 4);
    store.commit().unwrap();
    assert_eq!(database.open().epoch(), 4);
    decide(&mut store, [DecisionKind::Forgotten]).unwrap();
    assert!(database.open().sinks().is_empty());
}

#[test]
fn decisions_of_another_daemon_reach_the_worker_here_in_their_order() {
    let database = TestDatabase::create();
    let (mut here, mut there) = (database.open(), database.open());
    let inbox = inbox_of(&mut here);
    decide(&mut there, [registered(), DecisionKind::Paused]).unwrap();
    assert!(here.sink(SINK).is_none());
    here.make_room().unwrap();
    assert!(here.sink(SINK).unwrap().paused);
    // A decision that rests on less than there is is not stored.
    decide(&mut there, [DecisionKind::Resumed]).unwrap();
    here.stage_decisions(Some(9), vec![decision(DecisionKind::Halted)]).unwrap();
    let refused = here.commit();
    assert!(matches!(refused, Err(CommitError::Conflict { which: Contested::Delivery })), "{refused:?}");
    here.make_room().unwrap();
    here.stage_decisions(Some(10), vec![decision(DecisionKind::Halted)]).unwrap();
    here.commit().unwrap();
    let told: Vec<_> = Vec::from(inbox.take())
        .into_iter()
        .map(|news| match news {
            DecisionNews::Durable { ticket, lsn, decision, .. } => (ticket, lsn.0, decision.kind.as_str()),
            DecisionNews::Full { ticket } => (Some(ticket), 0, "full"),
            DecisionNews::Retry => (None, 0, "retry"),
        })
        .collect();
    let expected = [
        (None, 1, "registered"),
        (None, 2, "paused"),
        (Some(9), 0, "full"),
        (None, 3, "resumed"),
        (Some(10), 4, "halted"),
    ];
    assert_eq!(told, expected);
    there.make_room().unwrap();
    assert_eq!(here.sink(SINK), there.sink(SINK));
}

#[test]
fn whoever_comes_second_is_told_and_decides_on_what_the_first_has_made() {
    let database = TestDatabase::create();
    let (mut first, mut second) = (database.open(), database.open());
    let command = ProcessedCommand {
        command_id: CommandId::new(Uuid::from_u128(9)),
        fingerprint: Fingerprint(Uuid::from_u128(10)),
    };
    let mut plan = placement(&first, 1);
    plan.remember(command);
    first.stage(&plan).unwrap();
    assert!(second.retrieve(order_id(1)).is_err());
    let mut same = placement(&second, 2);
    same.remember(command);
    second.stage(&same).unwrap();
    first.commit().unwrap();
    let refused = second.commit();
    assert!(matches!(refused, Err(CommitError::Conflict { which: Contested::Command })), "{refused:?}");
    assert_eq!(second.remembered(command.command_id).unwrap().unwrap().order.order_id, order_id(1));
    // The same order, changed from the same version.
    for store in [&mut first, &mut second] {
        let mut order = store.retrieve(order_id(1)).unwrap();
        order.complete(at(2000)).unwrap();
        let plan = Plan::for_order(store, &mut order);
        store.stage(&plan).unwrap();
    }
    second.commit().unwrap();
    let refused = first.commit();
    assert!(matches!(refused, Err(CommitError::Conflict { which: Contested::Order })), "{refused:?}");
    assert_eq!(first.retrieve(order_id(1)).unwrap().state().version, 2);
}

/// The server has committed, and the connection breaks before it can say so.
#[test]
fn a_commit_whose_answer_is_lost_is_found_out() {
    let database = TestDatabase::create();
    let proxy = Proxy::before(&database);
    let mut store = database.open_through(&proxy);
    place(&mut store, 1);
    store.commit().unwrap();
    let staged = {
        let plan = placement(&store, 2);
        store.stage(&plan).unwrap()
    };
    proxy.lose_the_next_answer();
    assert_eq!(store.commit().unwrap().settle(staged.lsn), Lsn(2), "stored, as it turned out");
    assert!(proxy.lost() > 0 && store.retrieve(order_id(2)).is_ok());
    assert_eq!(store.durable_lsn(), Lsn(2));
}

/// The connection breaks before the server has heard of the batch: it is to be decided again.
#[test]
fn a_batch_that_never_arrived_is_known_not_to_be_stored() {
    let database = TestDatabase::create();
    let proxy = Proxy::before(&database);
    let mut store = database.open_through(&proxy);
    place(&mut store, 1);
    store.commit().unwrap();
    place(&mut store, 2);
    proxy.lose_the_next_request();
    let refused = store.commit();
    assert!(matches!(refused, Err(CommitError::Conflict { which: Contested::Lock })), "{refused:?}");
    place(&mut store, 2);
    store.commit().unwrap();
    assert_eq!(store.durable_lsn(), Lsn(2));
}

/// An asynchronous standby was promoted that lacked the last plans: what this daemon remembers of them is not true.
#[test]
fn a_database_that_has_lost_plans_ends_the_daemon() {
    let database = TestDatabase::create();
    let mut store = database.open();
    for number in 1..=2 {
        place(&mut store, number);
        store.commit().unwrap();
    }
    database.execute(
        "BEGIN; DELETE FROM outbox WHERE sequence = 2; DELETE FROM transitions WHERE sequence = 2; \
         UPDATE store SET last_lsn = 1, last_sequence = 1; COMMIT",
    );
    let refused = store.make_room();
    assert!(matches!(refused, Err(CommitError::Failed { .. })), "{refused:?}");
    assert_eq!(database.open().durable_lsn(), Lsn(1));
}
