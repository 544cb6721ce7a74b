//! What every store of plans promises, asked of each in the same words.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::memory_store::{Fault, MemoryStore};
use super::store::Store;
use super::store_test::{Bench, SINK, at, order_id, registered};
use crate::contracts::{
    CommitError, Decision, DecisionInbox, DecisionKind, DecisionNews, Fingerprint, Lsn, Plan, PlanStore,
    ProcessedCommand, Room, Sequence,
};
use crate::domain::{Cents, CommandId, CustomerId, Order, OrderStatus};

/// A store under test, and how its next commit is made to find no room.
struct Subject<S> {
    store: S,
    inbox: Arc<DecisionInbox>,
    fill: Box<dyn Fn(&mut S)>,
}

fn memory() -> Subject<MemoryStore> {
    let inbox = Arc::new(DecisionInbox::new(Box::new(|| {})));
    let store = MemoryStore::new(BTreeMap::from([(Arc::from(SINK), Arc::clone(&inbox))]));
    Subject { store, inbox, fill: Box::new(|store| store.faults.push_back(Fault::Full)) }
}

fn journal() -> Subject<Store> {
    let Bench { storage, store, .. } = Bench::new();
    let inbox = Arc::clone(store.inbox(SINK).unwrap());
    let fill = move |_: &mut Store| storage.fail("write", std::io::ErrorKind::StorageFull);
    Subject { store, inbox, fill: Box::new(fill) }
}

#[cfg(feature = "postgres")]
fn postgresql() -> Subject<crate::postgres::PostgresStore> {
    let database = crate::postgres::testing::TestDatabase::create();
    let mut store = database.open();
    let inbox = Arc::new(DecisionInbox::new(Box::new(|| {})));
    store.set_inboxes(BTreeMap::from([(Arc::from(SINK), Arc::clone(&inbox))]));
    let fill = move |_: &mut crate::postgres::PostgresStore| {
        database.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$; \
             CREATE TRIGGER no_room BEFORE UPDATE ON store EXECUTE FUNCTION no_room()",
        );
    };
    Subject { store, inbox, fill: Box::new(fill) }
}

/// The same test for each of them.
macro_rules! each {
    ($($(#[$meta:meta])* $name:ident)+) => {
        mod in_memory { $(#[test] fn $name() { super::$name(super::memory()); })+ }
        mod in_the_journal { $(#[test] fn $name() { super::$name(super::journal()); })+ }
        #[cfg(feature = "postgres")]
        mod in_postgresql { $(#[test] fn $name() { super::$name(super::postgresql()); })+ }
    };
}

each! {
    what_is_staged_shows_at_once_and_is_numbered_without_a_gap
    a_batch_without_room_leaves_no_trace
    a_plan_that_does_not_fit_is_never_stored
    a_command_is_remembered_with_its_answer
    decisions_reach_their_sink_once_they_are_durable
}

// PostgreSQL's history is read by its relay.
#[test]
fn the_past_in_memory_can_be_looked_into() {
    the_past_can_be_looked_into(memory());
}

#[test]
fn the_past_in_the_journal_can_be_looked_into() {
    the_past_can_be_looked_into(journal());
}

fn place(number: u64) -> Order {
    let customer_id = CustomerId::new(Uuid::from_u128(7));
    Order::place(order_id(number), customer_id, Cents::new(number).unwrap(), at(1000 * number.cast_signed()))
}

fn placement<S: PlanStore>(store: &S, number: u64) -> Plan {
    Plan::for_order(store, &mut place(number))
}

fn completion<S: PlanStore>(store: &S, number: u64) -> Plan {
    let mut order = store.retrieve(order_id(number)).unwrap();
    order.complete(at(900_000)).unwrap();
    Plan::for_order(store, &mut order)
}

fn decision(kind: DecisionKind) -> Decision {
    Decision { sink: SINK.into(), at: at(5), uid: 7, reason: "because".into(), kind }
}

fn store_all<S: PlanStore>(store: &mut S, plans: impl IntoIterator<Item = u64>) {
    for number in plans {
        assert_eq!(store.make_room().unwrap(), Room::ForAll);
        let plan = placement(store, number);
        store.stage(&plan).unwrap();
        store.commit().unwrap();
    }
}

fn what_is_staged_shows_at_once_and_is_numbered_without_a_gap<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    store.make_room().unwrap();
    let plan = placement(store, 1);
    let first = store.stage(&plan).unwrap();
    let plan = completion(store, 1);
    let staged = store.stage(&plan).unwrap();
    assert_eq!(staged.order.unwrap().status, OrderStatus::Completed);
    assert_eq!((store.durable_lsn(), store.last_sequence()), (Lsn::ZERO, Sequence(2)));
    assert_eq!(store.history().last_sequence(), Sequence::ZERO, "nothing is durable yet");
    let committed = store.commit().unwrap();
    assert_eq!((committed.settle(first.lsn), committed.settle(staged.lsn)), (Lsn(1), Lsn(2)));
    assert_eq!((store.durable_lsn(), store.history().last_sequence()), (Lsn(2), Sequence(2)));
    assert_eq!((store.orders_count(), store.order_lsn(order_id(1))), (1, Ok(Some(Lsn(2)))));
}

fn a_batch_without_room_leaves_no_trace<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    store_all(store, [1]);
    store.make_room().unwrap();
    let plan = placement(store, 2);
    store.stage(&plan).unwrap();
    let plan = completion(store, 1);
    store.stage(&plan).unwrap();
    store.stage_decisions(Some(3), vec![decision(registered())]).unwrap();
    (subject.fill)(store);
    assert!(matches!(store.commit(), Err(CommitError::Full(_))));
    assert!(store.retrieve(order_id(2)).is_err() && store.sink(SINK).is_none());
    assert_eq!(store.retrieve(order_id(1)).unwrap().state().status, OrderStatus::Placed);
    assert_eq!((store.durable_lsn(), store.last_sequence(), store.orders_count()), (Lsn(1), Sequence(1), 1));
    assert_eq!(Vec::from(subject.inbox.take()), [DecisionNews::Full { ticket: 3 }]);
}

fn a_plan_that_does_not_fit_is_never_stored<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    store_all(store, [1]);
    store.make_room().unwrap();
    let again = placement(store, 1);
    assert!(matches!(store.stage(&again), Err(CommitError::Failed { .. })));
    assert_eq!(store.durable_lsn(), Lsn(1));
}

fn a_command_is_remembered_with_its_answer<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    let command_id = CommandId::new(Uuid::from_u128(9));
    let fingerprint = Fingerprint(Uuid::from_u128(10));
    store.make_room().unwrap();
    let mut plan = placement(store, 1);
    plan.remember(ProcessedCommand { command_id, fingerprint });
    let staged = store.stage(&plan).unwrap();
    let lsn = store.commit().unwrap().settle(staged.lsn);
    store.make_room().unwrap();
    let plan = completion(store, 1);
    store.stage(&plan).unwrap();
    store.commit().unwrap();
    let remembered = store.remembered(command_id).unwrap().unwrap();
    assert_eq!((remembered.fingerprint, remembered.lsn), (fingerprint, lsn));
    assert_eq!(Some(remembered.order), staged.order, "as it was answered then");
    assert_eq!(store.remembered(CommandId::new(Uuid::from_u128(11))), Ok(None));
}

fn decisions_reach_their_sink_once_they_are_durable<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    store.make_room().unwrap();
    let lsns = store.stage_decisions(Some(4), vec![decision(registered()), decision(DecisionKind::Paused)]).unwrap();
    assert_eq!((lsns.len(), subject.inbox.len()), (2, 0));
    let committed = store.commit().unwrap();
    assert_eq!(lsns.into_iter().map(|lsn| committed.settle(lsn)).collect::<Vec<_>>(), [Lsn(1), Lsn(2)]);
    let news = Vec::from(subject.inbox.take());
    let lsns = news.iter().map(|news| match news {
        DecisionNews::Durable { ticket: Some(4), lsn, .. } => *lsn,
        other @ (DecisionNews::Durable { .. } | DecisionNews::Full { .. } | DecisionNews::Retry) => panic!("{other:?}"),
    });
    assert_eq!(lsns.collect::<Vec<_>>(), [Lsn(1), Lsn(2)]);
    assert!(store.sink(SINK).unwrap().paused && store.sinks().len() == 1);
}

fn the_past_can_be_looked_into<S: PlanStore>(mut subject: Subject<S>) {
    let store = &mut subject.store;
    store_all(store, 1..=5);
    store.make_room().unwrap();
    let plan = completion(store, 2);
    store.stage(&plan).unwrap();
    store.stage_decisions(None, vec![decision(registered()), decision(DecisionKind::Restored { epoch: 2 })]).unwrap();
    store.commit().unwrap();
    store_all(store, [6]);
    let history = store.history();
    let mut events = Vec::new();
    history.open_after(Sequence(4)).unwrap().read(10, &mut events).unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.sequence.0, event.epoch)).collect();
    assert_eq!(told, [(5, 1), (6, 1), (7, 2)]);
    let of_order = history.order_events(order_id(2), store.order_lsn(order_id(2)).unwrap().unwrap()).unwrap();
    let sequences: Vec<_> = of_order.events.iter().map(|event| event.sequence.0).collect();
    assert_eq!((sequences, of_order.complete), (vec![2, 6], true));
    assert_eq!(history.first_at_or_after(at(3000)).unwrap(), Some(Sequence(3)));
    let page = history.decisions(Lsn::ZERO, 1, 100).unwrap();
    assert_eq!((page.decisions.len(), page.decisions[0].0, page.at_end), (1, Lsn(7), false));
    let page = history.decisions(page.looked_to, 10, 100).unwrap();
    assert_eq!((page.decisions[0].0, page.at_end), (Lsn(8), true));
}
