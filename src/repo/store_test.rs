//! Plans and decisions through the store, the journal, checkpoints and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use uuid::Uuid;

use super::store::Store;
use crate::contracts::{
    CommitError, Decision, DecisionInbox, DecisionKind, DecisionNews, LaneState, Lsn, OrderRepository, Plan, PlanStore,
    PublishedEvent, Room, Sequence, SinkStartPoint, SinkType,
};
use crate::domain::{Cents, CustomerId, EventContext, Order, OrderId, OrderStatus, Timestamp};
use crate::fuzzing::base::{source, store_options};
use crate::journal::JournalOptions;
use crate::testkit::{Memory, STORE_ID, SteppedClock, Watched};
use crate::usecases::complete_order;

/// A store, what it is on, and the inbox of its one sink.
pub(super) struct Bench {
    pub storage: Watched,
    pub clock: SteppedClock,
    pub store: Store,
    inbox: Arc<DecisionInbox>,
    woken: Arc<AtomicU32>,
}

pub(super) const SINK: &str = "mail";

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(super) fn order_id(number: u64) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

fn journal_options(boot: u64) -> JournalOptions {
    JournalOptions { segment_bytes: 64 << 10, decisions_bytes: 8 << 10, ..store_options(boot).journal }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(journal_options(1))
    }

    pub fn with(journal: JournalOptions) -> Self {
        Self::open(Watched::new(), SteppedClock::default(), journal)
    }

    fn open(storage: Watched, clock: SteppedClock, journal: JournalOptions) -> Self {
        let options = super::StoreOptions { journal, ..store_options(1) };
        let shared: Arc<dyn crate::contracts::Storage> = Arc::new(storage.clone());
        let (mut store, _) = super::open_store(&shared, Arc::new(clock.clone()), STORE_ID, &options, &[]).unwrap();
        let woken = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&woken);
        let inbox = Arc::new(DecisionInbox::new(Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })));
        store.set_inboxes(BTreeMap::from([(Arc::from(SINK), Arc::clone(&inbox))]));
        Self { storage, clock, store, inbox, woken }
    }

    /// Kills the store and opens it again.
    pub fn restart(self) -> Self {
        let Self { storage, clock, .. } = self;
        Self::open(storage, clock, journal_options(9))
    }

    /// Stores one plan by itself; false if there is no room.
    pub fn commit(&mut self, plan: &Plan) -> bool {
        if self.store.make_room().unwrap() != Room::ForAll {
            return false;
        }
        self.store.stage(plan).unwrap();
        self.store.commit().is_ok()
    }

    pub fn place(&mut self, number: u64) -> bool {
        let plan = self.placement(number);
        self.commit(&plan)
    }

    pub fn placement(&self, number: u64) -> Plan {
        let mut order = place(number);
        Plan::for_order(&self.store, &mut order)
    }

    pub fn decide(&mut self, ticket: Option<u64>, kinds: Vec<DecisionKind>) -> Result<Vec<Lsn>, CommitError> {
        self.store.make_room()?;
        let lsns = self.store.stage_decisions(ticket, kinds.into_iter().map(decision).collect())?;
        self.store.commit().map(|_| lsns)
    }

    fn news(&self) -> Vec<DecisionNews> {
        self.inbox.take().into()
    }
}

fn place(number: u64) -> Order {
    let customer_id = CustomerId::new(Uuid::from_u128(7));
    Order::place(order_id(number), customer_id, Cents::new(number).unwrap(), at(1000 * i64::try_from(number).unwrap()))
}

fn decision(kind: DecisionKind) -> Decision {
    Decision { sink: SINK.into(), at: at(5), uid: 7, reason: "because".into(), kind }
}

pub(super) fn registered() -> DecisionKind {
    let (sink_type, source) = (SinkType::Subscription, Arc::from("/orderd"));
    DecisionKind::Registered(SinkStartPoint { sink_type, after: Sequence::ZERO, snapshot: None, source })
}

fn parked(number: u64, events: Vec<Arc<PublishedEvent>>) -> DecisionKind {
    DecisionKind::Parked { order_id: order_id(number), state: LaneState::Rejected, attempts: 1, events }
}

/// The event of an order's placing, as a feed has it.
fn event_of(bench: &Bench, sequence: u64) -> Arc<PublishedEvent> {
    let mut events = Vec::new();
    let mut feed = bench.store.history().open_after(Sequence(sequence - 1)).unwrap();
    feed.read(1, &mut events).unwrap();
    Arc::new(events.remove(0))
}

#[test]
fn two_verbs_on_one_order_are_one_plan_that_survives_a_restart() {
    let mut bench = Bench::new();
    assert!(bench.place(1));
    let mut order = bench.store.retrieve(order_id(1)).unwrap();
    order.complete(at(2000)).unwrap();
    order.cancel(at(3000), None).unwrap();
    let expected = *order.state();
    let mut plan = Plan::for_order(&bench.store, &mut order);
    assert_eq!((order.events().events(), plan.outbox_entries().count()), (&[][..], 2), "the events are given up");
    let metadata = Some(Box::from(r#"{"by":"me"}"#));
    plan.attach(Some(&EventContext { metadata, ..EventContext::default() }));
    assert!(bench.commit(&plan));
    for restarted in [false, true] {
        if restarted {
            bench = bench.restart();
        }
        assert_eq!(*bench.store.retrieve(order_id(1)).unwrap().state(), expected);
        assert_eq!((expected.status, expected.version), (OrderStatus::Cancelled, 3));
        let events = bench
            .store
            .history()
            .order_events(order_id(1), bench.store.order_lsn(order_id(1)).unwrap().unwrap())
            .unwrap();
        let told: Vec<_> = events.events.iter().map(|event| (event.sequence.0, event.entry.order_version)).collect();
        assert_eq!((told, events.complete), (vec![(1, 1), (2, 2), (3, 3)], true));
        let by = |at: usize| events.events[at].entry.context.as_ref().and_then(|context| context.metadata.as_deref());
        assert_eq!((by(0), by(1), by(2)), (None, Some(r#"{"by":"me"}"#), Some(r#"{"by":"me"}"#)));
    }
}

/// A use case decides; what it decided is stored by whoever stages its plan.
#[test]
fn planning_changes_neither_the_store_nor_what_it_would_write() {
    let mut bench = Bench::new();
    assert!(bench.place(1));
    let before = *bench.store.retrieve(order_id(1)).unwrap().state();
    let request = complete_order::Request { order_id: order_id(1), now: at(2000) };
    let plan = complete_order::Interactor::new(&bench.store).execute(&request).unwrap();
    assert_eq!((bench.store.staged_bytes(), *bench.store.retrieve(order_id(1)).unwrap().state()), (0, before));
    bench.store.stage(&plan).unwrap();
    assert!(bench.store.staged_bytes() > 0, "the plan itself is stored when it is staged");
    assert_ne!(*bench.store.retrieve(order_id(1)).unwrap().state(), before);
}

#[test]
fn an_order_that_is_placed_and_completed_at_once_is_one_new_order_with_two_events() {
    let mut bench = Bench::new();
    let mut order = place(1);
    order.complete(at(9_000)).unwrap();
    let plan = Plan::for_order(&bench.store, &mut order);
    assert!(bench.commit(&plan));
    let bench = bench.restart();
    assert_eq!(bench.store.retrieve(order_id(1)).unwrap().state(), order.state());
    assert_eq!(bench.store.last_sequence(), Sequence(2));
}

#[test]
fn a_worker_hears_of_a_decision_when_it_is_durable_and_not_before() {
    let mut bench = Bench::new();
    bench.store.make_room().unwrap();
    let lsns =
        bench.store.stage_decisions(Some(4), vec![decision(registered()), decision(DecisionKind::Paused)]).unwrap();
    assert_eq!((lsns, bench.news().len()), (vec![Lsn(1), Lsn(2)], 0));
    bench.store.commit().unwrap();
    let news = bench.news();
    let [
        DecisionNews::Durable { ticket: Some(4), lsn: Lsn(1), .. },
        DecisionNews::Durable { lsn: Lsn(2), decision, .. },
    ] = news.as_slice()
    else {
        panic!("{news:?}")
    };
    assert_eq!(decision.kind, DecisionKind::Paused);
    assert!(bench.woken.load(Ordering::Relaxed) > 0);
    assert!(bench.store.sink(SINK).unwrap().paused);
    // An operator's have no ticket.
    bench.decide(None, vec![DecisionKind::Resumed]).unwrap();
    assert!(matches!(bench.news().as_slice(), [DecisionNews::Durable { ticket: None, lsn: Lsn(3), .. }]));
}

#[test]
fn what_was_decided_survives_restarts_with_and_without_a_checkpoint() {
    let mut bench = Bench::new();
    for number in 1..=3 {
        assert!(bench.place(number));
    }
    let event = event_of(&bench, 2);
    bench.decide(None, vec![registered(), parked(2, vec![event]), DecisionKind::Halted]).unwrap();
    let before = bench.store.state().delivery.clone();
    bench = bench.restart();
    let same = |bench: &Bench| bench.store.sinks().into_iter().eq(before.sinks());
    assert!(same(&bench));
    super::write_checkpoint(&bench.storage.memory, STORE_ID, &mut source(&bench.store)).unwrap();
    bench = bench.restart();
    assert!(same(&bench));
    assert_eq!(bench.store.sink(SINK).unwrap().parked_events, 1);
    // The journal goes on behind it.
    bench.decide(None, vec![DecisionKind::Requeued { order_id: order_id(2) }]).unwrap();
    bench = bench.restart();
    assert_eq!(bench.store.sink(SINK).unwrap().lanes[&order_id(2)].state, LaneState::Requeued);
}

#[test]
fn a_batch_that_found_no_room_is_taken_back_and_its_worker_told() {
    let mut bench = Bench::new();
    bench.decide(None, vec![registered()]).unwrap();
    bench.news();
    bench.store.make_room().unwrap();
    bench.store.stage_decisions(Some(8), vec![decision(DecisionKind::Paused), decision(DecisionKind::Halted)]).unwrap();
    let plan = bench.placement(1);
    bench.store.stage(&plan).unwrap();
    bench.storage.fail("write", std::io::ErrorKind::StorageFull);
    assert!(matches!(bench.store.commit(), Err(CommitError::Full(_))));
    assert_eq!(bench.news(), [DecisionNews::Full { ticket: 8 }]);
    let record = bench.store.sink(SINK).unwrap();
    assert!(!record.paused && !record.halted);
    assert!(bench.store.retrieve(order_id(1)).is_err());
}

#[test]
fn a_journal_that_is_full_for_commands_takes_decisions() {
    let mut bench = Bench::with(JournalOptions { bytes_max: 100 << 10, ..journal_options(1) });
    bench.decide(None, vec![registered()]).unwrap();
    let mut number = 1;
    while bench.place(number) {
        number += 1;
    }
    assert_eq!(bench.store.make_room().unwrap(), Room::ForDecisions);
    let mut decided = 0;
    while bench.decide(Some(1), vec![DecisionKind::Paused]).is_ok() {
        decided += 1;
    }
    assert!(decided > 50, "{decided}");
    assert_eq!(bench.news().last(), Some(&DecisionNews::Full { ticket: 1 }));
    // Nothing of it is lost, and the next start has room for decisions again.
    let mut bench = bench.restart();
    assert!(bench.store.sink(SINK).unwrap().paused);
    assert_eq!(bench.store.state().orders.count() as u64, number - 1);
    assert_ne!(bench.store.make_room().unwrap(), Room::None);
}

#[test]
fn a_full_disk_leaves_decisions_the_room_that_is_there() {
    let mut bench = Bench::new();
    bench.decide(None, vec![registered()]).unwrap();
    // No room for a segment that takes commands, but for a small one.
    bench.storage.set_room(9 << 10);
    bench.storage.fail("write store/journal/00000000000000000001.wal", std::io::ErrorKind::StorageFull);
    assert!(!bench.place(1));
    bench.storage.mend();
    bench.storage.set_room(9 << 10);
    bench.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(bench.store.make_room().unwrap(), Room::ForDecisions);
    bench.decide(None, vec![DecisionKind::Paused]).unwrap();
    assert!(!bench.place(1));
    bench.storage.mend();
    bench.clock.advance(std::time::Duration::from_secs(10));
    assert!(bench.place(1));
    let bench = bench.restart();
    assert!(bench.store.sink(SINK).unwrap().paused);
    assert!(bench.store.retrieve(order_id(1)).is_ok());
}

#[test]
fn a_restore_raises_the_epoch_that_events_carry() {
    let mut bench = Bench::new();
    assert!(bench.place(1));
    bench.decide(None, vec![DecisionKind::Restored { epoch: 2 }]).unwrap();
    assert!(bench.place(2));
    let bench = bench.restart();
    assert_eq!(bench.store.epoch(), 2);
    assert_eq!((event_of(&bench, 1).epoch, event_of(&bench, 2).epoch), (1, 2));
}

/// So that the memory is the one the checkpoint went to.
#[test]
fn a_checkpoint_of_decisions_is_checked_like_the_rest() {
    let mut bench = Bench::new();
    assert!(bench.place(1));
    let event = event_of(&bench, 1);
    bench.decide(None, vec![registered(), parked(1, vec![event])]).unwrap();
    let memory: Memory = bench.storage.memory.clone();
    super::write_checkpoint(&memory, STORE_ID, &mut source(&bench.store)).unwrap();
    assert!(super::verify_checkpoint(&memory, STORE_ID, Lsn(3)).is_ok());
}

/// Two copies of one store that both went on: each has plans that the other has not, under the same numbers.
#[test]
fn a_checkpoint_of_another_history_of_the_same_store_is_refused() {
    let mut one = Bench::new();
    for number in 1..=20 {
        assert!(one.place(number));
    }
    let copy = one.storage.memory.files();
    for number in 21..=40 {
        assert!(one.place(number));
    }
    super::write_checkpoint(&one.storage.memory, STORE_ID, &mut source(&one.store)).unwrap();
    let checkpoint = format!("store/checkpoints/{}", crate::journal::checkpoint_name(Lsn(40)));
    let foreign = one.storage.memory.files().remove(&checkpoint).unwrap();
    let mut other = Bench::open(Watched::of(&copy), SteppedClock::default(), journal_options(5));
    for number in 121..=160 {
        assert!(other.place(number));
    }
    let mut files = other.storage.memory.files();
    files.insert(checkpoint.clone(), foreign);
    let storage: Arc<dyn crate::contracts::Storage> = Arc::new(Watched::of(&files));
    let clock = Arc::new(SteppedClock::default());
    match super::open_store(&storage, clock, STORE_ID, &store_options(7), &[]) {
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(&checkpoint) && message.contains("another history"), "{message}");
        }
        Ok(_) => panic!("it opens"),
    }
    assert!(super::inspect_store(storage.as_ref(), STORE_ID, Lsn::ZERO).is_err());
}

/// The segment below the checkpoint that only a sink has still to read is damaged where its cursor stands.
#[test]
fn damage_that_only_a_sink_still_reads_is_told_to_the_sink_and_not_to_the_start() {
    let mut bench = Bench::new();
    let mut feed_position = None;
    for number in 1..=1500 {
        assert!(bench.place(number));
        if number == 20 {
            let mut events = Vec::new();
            let mut feed = bench.store.history().open_after(Sequence(9)).unwrap();
            feed.read(1, &mut events).unwrap();
            feed_position = Some(feed.position());
        }
    }
    super::write_checkpoint(&bench.storage.memory, STORE_ID, &mut source(&bench.store)).unwrap();
    let position = feed_position.unwrap();
    let path = crate::journal::segment_path(Lsn(1));
    let mut files = bench.storage.memory.files();
    files.get_mut(&path).unwrap()[usize::try_from(super::JournalPosition::from(position).offset).unwrap() + 50] ^= 1;
    let storage: Arc<dyn crate::contracts::Storage> = Arc::new(Watched::of(&files));
    let sinks = [super::SinkPosition { path: "store/cursors/mail.cursor".to_owned(), position }];
    let clock = Arc::new(SteppedClock::default());
    let (store, _) = super::open_store(&storage, clock, STORE_ID, &store_options(7), &sinks).unwrap();
    let history = store.history();
    let error = history.open_at(position).map(drop).unwrap_err().to_string();
    assert!(error.contains(&path) && error.contains("offset"), "{error}");
    // A cursor of another history is the start's affair all the same.
    let other = super::JournalPosition { body_crc: 77, lsn: Lsn(5), sequence: Sequence(5), ..position.into() }.into();
    assert!(matches!(history.open_at(other).map(drop), Err(crate::contracts::FeedError::OtherHistory(_))));
}

#[test]
fn a_store_that_somebody_takes_away_is_fatal_and_not_full() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn crate::contracts::Storage> =
        Arc::new(crate::storage::DiskStorage::open(folder.path()).unwrap());
    crate::journal::create_store(storage.as_ref(), STORE_ID).unwrap();
    let clock = Arc::new(SteppedClock::default());
    let (mut store, _) = super::open_store(&storage, clock, STORE_ID, &store_options(1), &[]).unwrap();
    let plan = |number: u64, store: &Store| Plan::for_order(store, &mut place(number));
    store.make_room().unwrap();
    let first = plan(1, &store);
    store.stage(&first).unwrap();
    store.commit().unwrap();
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    // The batch that is under way, or the segment for the next.
    let second = plan(2, &store);
    let lost = store.make_room().and_then(|_| store.stage(&second)).and_then(|_| store.commit());
    match lost {
        Err(CommitError::Failed { .. }) => {}
        other => panic!("{other:?}"),
    }
}
