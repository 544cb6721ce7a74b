//! A subscription on its own: events without a journal, an executor that only makes durable, and a program by hand.

use std::collections::{HashMap, VecDeque};
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use serde_json::Value;
use uuid::Uuid;

use super::program_test::Program;
use super::*;
use crate::contracts::{
    AttachRequest, DecisionBatch, DecisionKind, DecisionNews, DecisionPage, EventFeed, EventHistory, FeedError,
    FeedPosition, Lsn, OrderEvents, PublishedEvent, Sequence, SinkStartPoint,
};
use crate::domain::{OrderEvent, OrderId, OrderPlaced, Timestamp};
use crate::relay::scheduler::Limits;
use crate::relay::testing::{NoRows, STORE_ID, event, position};
use crate::repo::{CursorFile, JournalPosition, ReplayCursors};
use crate::testkit::Watched;

/// Events whose orders the test chooses: event `n` belongs to order `orders[n - 1]`.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<EventsState>);

#[derive(Default)]
struct EventsState {
    orders: Mutex<Vec<u128>>,
    damaged: AtomicBool,
}

impl Events {
    pub(super) fn append(&self, order: u128) {
        self.0.orders.lock().unwrap().push(order);
    }

    pub(super) fn set_damaged(&self, damaged: bool) {
        self.0.damaged.store(damaged, Ordering::SeqCst);
    }

    fn event(&self, sequence: u64) -> Option<PublishedEvent> {
        let orders = self.0.orders.lock().unwrap();
        let at = usize::try_from(sequence).unwrap() - 1;
        let order = *orders.get(at)?;
        let mut published = event(sequence);
        let version = orders[..=at].iter().filter(|other| **other == order).count();
        published.entry.order_version = u32::try_from(version).unwrap();
        let customer_id = crate::domain::CustomerId::new(Uuid::from_u128(7));
        published.entry.event = OrderEvent::Placed(OrderPlaced {
            order_id: order_id(order),
            customer_id,
            total_amount: crate::domain::Cents::new(sequence).unwrap(),
            placed_at: Timestamp::from_micros(1_795_000_000_000_000).unwrap(),
        });
        Some(published)
    }
}

pub(super) fn order_id(order: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(order))
}

/// Every plan holds one event.
fn place(sequence: u64) -> FeedPosition {
    JournalPosition { lsn: Lsn(sequence), ..position(sequence).into() }.into()
}

impl EventHistory for Events {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        Ok(Sequence(1))
    }
    fn last_sequence(&self) -> Sequence {
        Sequence(self.0.orders.lock().unwrap().len() as u64)
    }
    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        Ok(Box::new(Feed { events: self.clone(), at: after.0 }))
    }
    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        self.open_after(position.sequence)
    }
    fn first_at_or_after(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Ok(None)
    }
    fn last_at_or_before(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Ok(None)
    }
    fn order_events(&self, _: OrderId, _: Lsn) -> Result<OrderEvents, FeedError> {
        Ok(OrderEvents::default())
    }
    fn decisions(&self, _: Lsn, _: usize, _: usize) -> Result<DecisionPage, FeedError> {
        Ok(DecisionPage::default())
    }
}

struct Feed {
    events: Events,
    at: u64,
}

impl EventFeed for Feed {
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        if self.at == 2 && self.events.0.damaged.load(Ordering::SeqCst) {
            return Err(FeedError::Damaged("00000000000000000001.wal: offset 77".to_owned()));
        }
        for _ in 0..events_max {
            let Some(event) = self.events.event(self.at + 1) else { break };
            self.at += 1;
            batch.push(event);
        }
        Ok(())
    }
    fn position(&self) -> FeedPosition {
        place(self.at)
    }
    fn durable_sequence(&self) -> Sequence {
        self.events.last_sequence()
    }
}

struct SteadyClock(Instant);

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_795_000_000_000_000 + i64::try_from(self.0.elapsed().as_micros()).unwrap()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        in_flight_max: 8,
        in_flight_bytes_max: 1 << 20,
        window_events_max: 64,
        answer_max: Duration::from_secs(5),
        attempts_max: 3,
        parked_events_max: 1000,
        parked_bytes_max: 1 << 20,
        rejected_in_a_row_max: 100,
        rate_events_per_s_max: None,
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(40),
        delivered_delay_max: Duration::from_millis(5),
        delivered_events_max: 100,
        slow_start_events: 16,
        detaches_in_a_row_max: 3,
        retry_after_max: Duration::from_secs(3600),
        seed: 1,
    }
}

/// A running worker with everything around it.
pub(super) struct Bench {
    pub(super) events: Events,
    pub(super) storage: Watched,
    /// What was decided so far, oldest first.
    pub(super) decided: Arc<Mutex<Vec<Decision>>>,
    pub(super) record: Arc<Mutex<SinkRecord>>,
    pub(super) inbox: Arc<DecisionInbox>,
    pub(super) attaches: Arc<AttachInbox>,
    pub(super) monitor: Arc<SinkMonitor>,
    pub(super) view: Arc<dyn SinkView>,
    control: Arc<Control>,
    worker: Option<JoinHandle<Result<(), WorkerError>>>,
    stop: Arc<AtomicBool>,
}

pub(super) fn new_record() -> SinkRecord {
    SinkRecord {
        name: Arc::from("events"),
        start: SinkStartPoint {
            sink_type: SinkType::Subscription,
            after: Sequence::ZERO,
            snapshot: None,
            source: Arc::from("/orderd"),
        },
        paused: false,
        halted: false,
        snapshot_running: false,
        lanes: std::collections::BTreeMap::new(),
        parked_events: 0,
        parked_bytes: 0,
        skipped: Vec::new(),
        skipped_events: Vec::new(),
        replays: Vec::new(),
    }
}

impl Bench {
    pub(super) fn start(limits: Limits) -> Self {
        let storage = Watched::empty();
        let cursor = CursorFile::create(&storage, "events", STORE_ID, FeedPosition::START).unwrap();
        Self::start_with(limits, Events::default(), storage, new_record(), cursor)
    }

    /// After a kill: what was not saved or decided is gone.
    pub(super) fn restart(&self, limits: Limits) -> Self {
        let cursor = CursorFile::load(&self.storage, "events", STORE_ID).unwrap().unwrap();
        let record = self.record.lock().unwrap().clone();
        Self::start_with(limits, self.events.clone(), self.storage.clone(), record, cursor)
    }

    fn start_with(limits: Limits, events: Events, storage: Watched, record: SinkRecord, cursor: CursorFile) -> Self {
        let (decide, decisions) = bounded(1);
        let settings = SubscriptionSettings {
            name: Arc::from("events"),
            limits,
            cursor_events_max: 10,
            cursor_delay_max: Duration::from_millis(20),
            failures_listed_max: 100,
            delivered_tags_max: 1000,
            drain_max: Duration::from_millis(300),
            line_bytes_max: 32_768,
            uid: 0,
            epoch: 1,
        };
        let ports = SubscriptionPorts {
            history: Arc::new(events.clone()),
            rows: Arc::new(NoRows),
            lane_rows: HashMap::new(),
            decide,
            clock: Arc::new(SteadyClock(Instant::now())),
            replays: Arc::new(ReplayCursors {
                history: Arc::new(events.clone()),
                storage: Arc::new(storage.clone()),
                store_id: STORE_ID,
                needs: Arc::default(),
            }),
        };
        let worker = Subscription::new(settings, ports, &record, Box::new(cursor)).unwrap();
        let (inbox, attaches, control) = (worker.inbox(), worker.attaches(), worker.control());
        let (monitor, view) = (worker.monitor(), worker.view());
        let record = Arc::new(Mutex::new(record));
        let (decided, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        executor(decisions, Arc::clone(&inbox), Arc::clone(&decided), Arc::clone(&record));
        let thread = std::thread::Builder::new().spawn(move || worker.run()).unwrap();
        Self { events, storage, decided, record, inbox, attaches, monitor, view, control, worker: Some(thread), stop }
    }

    pub(super) fn append(&self, order: u128) {
        self.events.append(order);
        self.control.durable();
    }

    /// What an operator has decided.
    pub(super) fn decide(&self, kind: DecisionKind) {
        let at = Timestamp::from_micros(1_795_000_000_000_000).unwrap();
        let decision = Decision { sink: Arc::from("events"), at, uid: 0, reason: Arc::from("by hand"), kind };
        keep(&mut self.record.lock().unwrap(), &decision);
        let decision = Arc::new(decision);
        self.inbox.put([DecisionNews::Durable { ticket: None, lsn: Lsn(1), decision, row: None }]);
    }

    pub(super) fn attach(&self) -> Program {
        self.attach_with(None, false)
    }

    pub(super) fn attach_with(&self, in_flight_max: Option<usize>, take_over: bool) -> Program {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let request = AttachRequest {
            id: "1".into(),
            uid: 0,
            program: "test".into(),
            in_flight_max,
            take_over,
            stream: theirs,
            received: Vec::new(),
            occupancy: Box::new(()),
        };
        assert!(self.attaches.put(request).is_ok());
        ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut program = Program { lines: BufReader::new(ours), answer: Value::Null };
        program.answer = program.line().expect("an answer");
        program
    }

    pub(super) fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what} never holds: {:?}", self.monitor.read());
            std::thread::yield_now();
        }
    }

    pub(super) fn acked(&self) -> u64 {
        self.view.acked_sequence().0
    }

    pub(super) fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.control.stop();
        self.worker.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.control.stop();
    }
}

/// Makes everything durable at once.
fn executor(
    decisions: Receiver<DecisionBatch>,
    inbox: Arc<DecisionInbox>,
    decided: Arc<Mutex<Vec<Decision>>>,
    record: Arc<Mutex<SinkRecord>>,
) {
    let lsn = AtomicU64::new(1);
    let run = move || {
        while let Ok(batch) = decisions.recv() {
            for decision in batch.decisions {
                decided.lock().unwrap().push(decision.clone());
                keep(&mut record.lock().unwrap(), &decision);
                let lsn = Lsn(lsn.fetch_add(1, Ordering::SeqCst));
                let decision = Arc::new(decision);
                inbox.put([DecisionNews::Durable { ticket: Some(batch.ticket), lsn, decision, row: None }]);
            }
        }
    };
    std::thread::Builder::new().spawn(run).unwrap();
}

/// As the store does it, for what these tests decide.
fn keep(record: &mut SinkRecord, decision: &Decision) {
    let reason = Arc::clone(&decision.reason);
    match &decision.kind {
        DecisionKind::Parked { order_id, state, attempts, events } => {
            let new = crate::contracts::ParkedLane {
                state: *state,
                since: decision.at,
                attempts: *attempts,
                reason,
                events: VecDeque::new(),
            };
            let lane = record.lanes.entry(*order_id).or_insert(new);
            lane.state = *state;
            lane.events.extend(events.iter().cloned());
        }
        DecisionKind::Delivered { events } => {
            for (order_id, sequence) in events {
                if let Some(lane) = record.lanes.get_mut(order_id) {
                    lane.events.retain(|event| event.sequence != *sequence);
                }
            }
            record.lanes.retain(|_, lane| !lane.events.is_empty());
        }
        DecisionKind::RangeSkipped { from, to } => record.skipped.push((*from, *to)),
        DecisionKind::Paused => record.paused = true,
        DecisionKind::Resumed => (record.paused, record.halted) = (false, false),
        DecisionKind::Halted => record.halted = true,
        DecisionKind::ReplayStarted(spec) => {
            let (spec, state) = (spec.clone(), crate::contracts::ReplayState::Running);
            record.replays.push(crate::contracts::ReplayRecord { spec, state, delivered: 0, failed: 0 });
        }
        DecisionKind::ReplayEnded { delivered, failed, .. } => {
            let replay = record.replays.last_mut().unwrap();
            replay.state = crate::contracts::ReplayState::Done;
            (replay.delivered, replay.failed) = (*delivered, *failed);
        }
        DecisionKind::Registered(_)
        | DecisionKind::Forgotten
        | DecisionKind::Requeued { .. }
        | DecisionKind::LaneSkipped { .. }
        | DecisionKind::SnapshotEnded
        | DecisionKind::Restored { .. } => {}
    }
}
