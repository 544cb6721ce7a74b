//! A store in memory with sinks whose workers the test plays: `mail` (a subscription), `file`, `stdout`, and `old`, which
//! is no longer configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::contracts::{
    Command, ConnectionId, Decision, DecisionBatch, DecisionInbox, DecisionKind, DecisionNews, Envelope, EventState,
    EventView, Failure, FailureOutcome, LaneState, LaneView, OperatorRefusal, OperatorRequest, OperatorResult,
    OrderIds, Outcome, Pins, PlanStore, PublishedEvent, Refusal, ReplayView, Request, Sequence, SinkHandle,
    SinkMonitor, SinkStartPoint, SinkStatus, SinkType, SinkView, Storage, Ticket,
};
use crate::domain::{Cents, CustomerId, OrderId, Timestamp};
use crate::executor::{Executor, ExecutorOptions, Operations};
use crate::fuzzing::base::store_options;
use crate::journal::JournalOptions;
use crate::repo::{Store, StoreOptions, open_store};
use crate::testkit::{STORE_ID, SteppedClock, Watched};

pub const UID: u32 = 1234;
/// Of `mail`.
pub const REPLAYS_MAX: usize = 3;
const CONNECTION: ConnectionId = ConnectionId(1);

/// A worker as the executor sees it.
#[derive(Default)]
pub struct PlayedWorker(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    acked: u64,
    delivered: BTreeSet<u64>,
    in_flight: BTreeMap<OrderId, u64>,
    lanes: BTreeMap<OrderId, LaneView>,
    replay: Option<ReplayView>,
}

impl SinkView for PlayedWorker {
    fn acked_sequence(&self) -> Sequence {
        Sequence(self.0.lock().unwrap().acked)
    }

    fn events(&self, events: &[Sequence]) -> Vec<EventView> {
        let seen = self.0.lock().unwrap();
        let state = |sequence: u64| match sequence {
            _ if sequence <= seen.acked || seen.delivered.contains(&sequence) => EventState::Settled,
            _ if seen.in_flight.values().any(|flying| *flying == sequence) => EventState::InFlight,
            _ => EventState::Pending,
        };
        events.iter().map(|event| EventView { state: state(event.0), attempts: 0, reason: None }).collect()
    }

    fn lane(&self, order_id: OrderId) -> Option<LaneView> {
        self.0.lock().unwrap().lanes.get(&order_id).cloned()
    }

    fn failures(&self) -> Vec<Failure> {
        let at = Timestamp::from_micros(1).unwrap();
        let (sequence, order_id) = (Some(Sequence(1)), Some(order(1)));
        vec![Failure { at, sequence, order_id, attempt: 1, outcome: FailureOutcome::Failed, reason: "no route".into() }]
    }

    fn replay(&self, _: Uuid) -> Option<ReplayView> {
        self.0.lock().unwrap().replay
    }
}

struct CountedIds(u128);

impl OrderIds for CountedIds {
    fn next(&mut self, _: Timestamp) -> OrderId {
        self.0 += 1;
        OrderId::new(Uuid::from_u128(self.0 << 64))
    }
}

pub struct Bench {
    pub executor: Executor<Store>,
    pub mail: Arc<PlayedWorker>,
    pub pins: Arc<Pins>,
    pub forgotten: Arc<Mutex<Vec<String>>>,
    inbox: Arc<DecisionInbox>,
}

pub fn order(number: u64) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

impl Bench {
    pub fn new() -> Self {
        Self::with_decision_room(1 << 20)
    }

    /// With this many bytes that only decisions may use.
    pub fn with_decision_room(decisions_bytes: u64) -> Self {
        let journal = JournalOptions {
            segment_bytes: 4 << 20,
            bytes_max: 64 << 20,
            batch_bytes_max: 1 << 20,
            decisions_bytes,
            ..store_options(1).journal
        };
        let options = StoreOptions { journal, ..store_options(1) };
        let clock = Arc::new(SteppedClock::default());
        let storage: Arc<dyn Storage> = Arc::new(Watched::new());
        let (mut store, _) = open_store(&storage, clock.clone(), STORE_ID, &options, &[]).unwrap();
        let inbox = Arc::new(DecisionInbox::new(Box::new(|| {})));
        store.set_inboxes(BTreeMap::from([(Arc::from("mail"), Arc::clone(&inbox))]));
        let options = ExecutorOptions {
            batch_commands_max: 16,
            batch_bytes_max: 1 << 20,
            orders_max: u64::MAX,
            conflict_retries_max: 3,
        };
        let mut executor = Executor::new(store, clock, Box::new(CountedIds(0)), options);
        let (mail, pins, forgotten) = (Arc::default(), Arc::default(), Arc::<Mutex<Vec<String>>>::default());
        let told = Arc::clone(&forgotten);
        let operations = Operations {
            sinks: vec![
                handle("mail", SinkType::Subscription, &mail, &inbox),
                handle("file", SinkType::File, &Arc::default(), &inbox),
                handle("stdout", SinkType::Stdout, &Arc::default(), &inbox),
            ],
            replays_max: BTreeMap::from([(Arc::from("mail"), REPLAYS_MAX)]),
            leftovers: BTreeMap::from([(Arc::from("old"), Sequence(2))]),
            render: crate::relay::cloud_event::render,
            pins: Arc::clone(&pins),
            on_forgotten: Box::new(move |sink| told.lock().unwrap().push(sink.to_owned())),
        };
        executor.operate_with(operations);
        let mut bench = Self { executor, mail, pins, forgotten, inbox };
        for (sink, sink_type) in [
            ("mail", SinkType::Subscription),
            ("file", SinkType::File),
            ("stdout", SinkType::Stdout),
            ("old", SinkType::Subscription),
        ] {
            let start =
                SinkStartPoint { sink_type, after: Sequence::ZERO, snapshot: None, source: Arc::from("/orderd") };
            bench.decide(sink, DecisionKind::Registered(start));
        }
        bench.news();
        bench
    }

    /// A decision as a worker makes it.
    pub fn decide(&mut self, sink: &str, kind: DecisionKind) {
        let at = Timestamp::from_micros(5).unwrap();
        let decision = Decision { sink: sink.into(), at, uid: 0, reason: "unknown country".into(), kind };
        let batch = DecisionBatch { ticket: 7, decisions: vec![decision] };
        self.executor.run_with_decisions(&[], vec![batch]).unwrap();
    }

    /// Runs one command.
    pub fn command(&mut self, command: Command) {
        let request = Request::change(command, None);
        let answers = self.executor.run(&[envelope(0, request)]).unwrap();
        assert!(matches!(answers[0].outcome, Outcome::Changed { .. }), "{answers:?}");
    }

    /// Places order `number` as event `number`, if this is done in order.
    pub fn place(&mut self, number: u64) {
        let customer_id = CustomerId::new(Uuid::nil());
        let total_amount = Cents::new(number).unwrap();
        self.command(Command::Place { order_id: Some(order(number)), customer_id, total_amount });
    }

    /// Parks the first `count` events, each of an order of its own.
    pub fn park(&mut self, sink: &str, count: u64) {
        let mut feed = self.executor.store().history().open_after(Sequence::ZERO).unwrap();
        let mut events: Vec<PublishedEvent> = Vec::new();
        feed.read(usize::try_from(count).unwrap(), &mut events).unwrap();
        for event in events {
            let order_id = event.entry.event.order_id();
            let events = vec![Arc::new(event)];
            let kind = DecisionKind::Parked { order_id, state: LaneState::Rejected, attempts: 1, events };
            self.decide(sink, kind);
        }
        self.news();
    }

    /// What an operator is answered.
    pub fn ask(&mut self, request: OperatorRequest) -> Result<OperatorResult, Refusal> {
        let answers = self.executor.run(&[envelope(9, Request::Operate(Box::new(request)))]).unwrap();
        let mut answer = answers.into_iter().next();
        while answer.is_none() {
            answer = self.executor.turn().unwrap();
        }
        let answer = answer.unwrap();
        assert_eq!((answer.connection, answer.ticket), (CONNECTION, Ticket(9)));
        match answer.outcome {
            Outcome::Operated(result) => Ok(*result),
            Outcome::Refused(refusal) => Err(refusal),
            other @ (Outcome::Changed { .. } | Outcome::Found(_)) => panic!("{other:?}"),
        }
    }

    /// The same, as JSON.
    pub fn json(&mut self, request: OperatorRequest) -> serde_json::Value {
        serde_json::to_value(self.ask(request).unwrap()).unwrap()
    }

    /// What an operator is refused with.
    pub fn refusal(&mut self, request: OperatorRequest) -> OperatorRefusal {
        match self.ask(request) {
            Err(Refusal::Operator(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// The decisions that the worker of `mail` has heard of since the last look, and whether it is to try again.
    pub fn news(&self) -> (Vec<Arc<Decision>>, bool) {
        let (mut decisions, mut retry) = (Vec::new(), false);
        for news in self.inbox.take() {
            match news {
                DecisionNews::Durable { decision, .. } => decisions.push(decision),
                DecisionNews::Retry => retry = true,
                DecisionNews::Full { .. } => panic!("there is room"),
            }
        }
        (decisions, retry)
    }

    pub fn acknowledge(&self, acked: u64) {
        self.mail.0.lock().unwrap().acked = acked;
    }

    pub fn deliver(&self, sequence: u64) {
        self.mail.0.lock().unwrap().delivered.insert(sequence);
    }

    pub fn hand_out(&self, number: u64, sequence: u64) {
        let mut seen = self.mail.0.lock().unwrap();
        seen.in_flight.insert(order(number), sequence);
        let view = LaneView { attempts: 3, next_attempt_at: None, in_flight: Some(Sequence(sequence)), reason: None };
        seen.lanes.insert(order(number), view);
    }

    pub fn run_replay(&self, view: ReplayView) {
        self.mail.0.lock().unwrap().replay = Some(view);
    }
}

fn handle(name: &str, sink_type: SinkType, view: &Arc<PlayedWorker>, inbox: &Arc<DecisionInbox>) -> SinkHandle {
    SinkHandle {
        name: name.into(),
        sink_type,
        inbox: Arc::clone(inbox),
        view: Arc::clone(view) as Arc<dyn SinkView>,
        monitor: Arc::new(SinkMonitor::new(SinkStatus::new(name.to_owned(), sink_type, Sequence::ZERO))),
    }
}

pub fn envelope(ticket: u64, request: Request) -> Envelope {
    Envelope { connection: CONNECTION, ticket: Ticket(ticket), uid: UID, request }
}
