//! A store of plans that keeps them in memory: the second implementation of [`PlanStore`], for tests.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::{StoreState, UndoStep};
use super::{order_repo, outbox_muts};
use crate::contracts::{
    CommitError, Committed, Contested, Decision, DecisionInbox, DecisionNews, DecisionPage, Envelope, EventFeed,
    EventHistory, FeedError, FeedPosition, JournalStatus, Lsn, Mutation, OrderEvents, OrderRepository, OrderRow, Plan,
    PlanStore, PublishedEvent, RememberedCommand, RetrieveError, Room, Sequence, SinkRecord, Staged, StoreCondition,
    StoreStatus, StoreUnavailable,
};
use crate::domain::{CommandId, Order, OrderId, Timestamp};

const SOURCE: &str = "/orderd";

/// The store.
pub struct MemoryStore {
    state: StoreState,
    log: Arc<Log>,
    staged: Vec<StoredPlan>,
    undo: Vec<UndoStep>,
    inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>,
    tickets: Vec<(Option<u64>, Lsn, Arc<Decision>)>,
    /// What the next commits meet, one each.
    pub faults: VecDeque<Fault>,
    /// Nothing can be read.
    pub unavailable: bool,
}

/// What a commit may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// There is no room.
    Full,
    /// Another daemon was first.
    Conflict,
    /// The store does not answer.
    Unavailable,
    /// The store took it, and did not say so.
    StoredUnheard,
    /// The store did not take it, and did not say so.
    LostUnheard,
}

impl Fault {
    fn takes_back(self) -> bool {
        !matches!(self, Self::None | Self::StoredUnheard)
    }

    fn error(self) -> Option<CommitError> {
        match self {
            Self::None => None,
            Self::Full => Some(CommitError::Full(io::ErrorKind::StorageFull.into())),
            Self::Conflict => Some(CommitError::Conflict { which: Contested::Order }),
            Self::Unavailable => Some(CommitError::Unavailable("away".to_owned())),
            Self::StoredUnheard | Self::LostUnheard => Some(CommitError::Unknown("unheard".to_owned())),
        }
    }
}

/// What is durable, as far as memory is.
#[derive(Default)]
struct Log(Mutex<Vec<StoredPlan>>);

struct StoredPlan {
    previous: Lsn,
    plan: Plan,
    events: Vec<PublishedEvent>,
}

impl Log {
    fn locked(&self) -> MutexGuard<'_, Vec<StoredPlan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self) -> Vec<PublishedEvent> {
        self.locked().iter().flat_map(|plan| plan.events.iter().cloned()).collect()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>) -> Self {
        let (state, log) = (StoreState::new(100), Arc::default());
        Self {
            state,
            log,
            staged: Vec::new(),
            undo: Vec::new(),
            inboxes,
            tickets: Vec::new(),
            faults: VecDeque::new(),
            unavailable: false,
        }
    }

    fn readable(&self) -> Result<(), StoreUnavailable> {
        if self.unavailable { Err(StoreUnavailable) } else { Ok(()) }
    }

    fn tell(&self, decision: &Decision, news: DecisionNews) {
        if let Some(inbox) = self.inboxes.get(&decision.sink) {
            inbox.put([news]);
        }
    }
}

impl OrderRepository for MemoryStore {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError> {
        self.readable()?;
        self.state.orders.retrieve(order_id)
    }

    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        order_repo::update_mut(order)
    }

    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation> {
        outbox_muts(order)
    }
}

impl PlanStore for MemoryStore {
    fn stage(&mut self, plan: &Plan) -> Result<Staged, CommitError> {
        let lsn = self.durable_lsn().plus(self.staged.len() as u64 + 1);
        let changed = plan.mutations().iter().find_map(Mutation::order_id);
        let previous = changed
            .and_then(|order_id| self.state.orders.find(order_id))
            .map(|(_, row)| row.last_lsn)
            .unwrap_or_default();
        let (first, epoch) = (self.state.last_sequence.next(), self.epoch());
        let numbered = plan.outbox_entries().cloned().zip(first.0..);
        let event =
            |(entry, sequence)| PublishedEvent { sequence: Sequence(sequence), entry, source: SOURCE.into(), epoch };
        let events = numbered.map(event).collect();
        let order = self.state.apply(plan, lsn, &mut self.undo).map_err(|problem| CommitError::Failed {
            operation: "check of a plan",
            source: io::Error::other(problem),
        })?;
        let decisions = plan.mutations().iter().filter_map(Mutation::decision);
        self.tickets.extend(decisions.map(|decision| (None, lsn, Arc::clone(decision))));
        self.staged.push(StoredPlan { previous, plan: plan.clone(), events });
        Ok(Staged { lsn, order })
    }

    fn stage_decisions(&mut self, ticket: Option<u64>, decisions: Vec<Decision>) -> Result<Vec<Lsn>, CommitError> {
        let first = self.tickets.len();
        let staged =
            Plan::of_decisions(decisions).iter().map(|plan| self.stage(plan).map(|staged| staged.lsn)).collect();
        for (of_decision, _, _) in self.tickets.iter_mut().skip(first) {
            *of_decision = ticket;
        }
        staged
    }

    fn load(&mut self, _requests: &[Envelope]) -> Result<(), StoreUnavailable> {
        self.readable()
    }

    fn commit(&mut self) -> Result<Committed, CommitError> {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        let tickets = std::mem::take(&mut self.tickets);
        if fault.takes_back() {
            self.state.roll_back(&mut self.undo);
            self.staged.clear();
        }
        self.undo.clear();
        self.log.locked().append(&mut self.staged);
        self.state.commands.evict();
        let stored = if let Some(error) = fault.error() { Err(error) } else { Ok(Committed::AS_STAGED) };
        let mut told = None;
        for (ticket, lsn, decision) in tickets {
            match (&stored, ticket) {
                (Ok(_), _) => self
                    .tell(&decision, DecisionNews::Durable { ticket, lsn, decision: Arc::clone(&decision), row: None }),
                (Err(_), Some(ticket)) if told != Some(ticket) => {
                    self.tell(&decision, DecisionNews::Full { ticket });
                    told = Some(ticket);
                }
                (Err(_), _) => {}
            }
        }
        stored
    }

    fn staged_bytes(&self) -> usize {
        self.staged.len()
    }

    fn make_room(&mut self) -> Result<Room, CommitError> {
        Ok(Room::ForAll)
    }

    fn remembered(&self, command_id: CommandId) -> Result<Option<RememberedCommand>, StoreUnavailable> {
        self.readable()?;
        Ok(self.state.remembered(command_id))
    }

    fn durable_lsn(&self) -> Lsn {
        Lsn(self.log.locked().len() as u64)
    }

    fn orders_count(&self) -> u64 {
        self.state.orders.count() as u64
    }

    fn last_sequence(&self) -> Sequence {
        self.state.last_sequence
    }

    fn epoch(&self) -> u32 {
        self.state.delivery.epoch()
    }

    fn order_lsn(&self, order_id: OrderId) -> Result<Option<Lsn>, StoreUnavailable> {
        Ok(self.state.orders.find(order_id).map(|(_, row)| row.last_lsn))
    }

    fn order_row(&self, order_id: OrderId) -> Option<(u64, OrderRow)> {
        self.state.orders.find(order_id).map(|(number, row)| (u64::from(number), row))
    }

    fn sink(&self, name: &str) -> Option<&SinkRecord> {
        self.state.delivery.sink(name)
    }

    fn sinks(&self) -> Vec<&SinkRecord> {
        self.state.delivery.sinks().collect()
    }

    fn inbox(&self, sink: &str) -> Option<&Arc<DecisionInbox>> {
        self.inboxes.get(sink)
    }

    fn history(&self) -> Arc<dyn EventHistory> {
        Arc::new(MemoryHistory(Arc::clone(&self.log)))
    }

    fn status(&self) -> StoreStatus {
        let durable_lsn = self.durable_lsn();
        let journal = JournalStatus { durable_lsn, checkpoint_lsn: Lsn::ZERO, bytes: 0, segments: 0 };
        let (orders_count, last_sequence) = (self.orders_count(), self.last_sequence());
        StoreStatus { condition: StoreCondition::of(false), journal, orders_count, last_sequence }
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryHistory(Arc<Log>);

impl EventHistory for MemoryHistory {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        Ok(Sequence(1))
    }

    fn last_sequence(&self) -> Sequence {
        Sequence(self.0.events().len() as u64)
    }

    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        Ok(Box::new(MemoryFeed { log: Arc::clone(&self.0), after }))
    }

    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        self.open_after(position.sequence)
    }

    fn first_at_or_after(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let events = self.0.events();
        Ok(events.iter().find(|event| event.entry.event.occurred_at() >= time).map(|event| event.sequence))
    }

    fn last_at_or_before(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let events = self.0.events();
        Ok(events.iter().rfind(|event| event.entry.event.occurred_at() <= time).map(|event| event.sequence))
    }

    fn order_events(&self, _: OrderId, last_lsn: Lsn) -> Result<OrderEvents, FeedError> {
        let plans = self.0.locked();
        let (mut lsn, mut events) = (last_lsn, Vec::new());
        while let Some(plan) = lsn.0.checked_sub(1).and_then(|index| plans.get(usize::try_from(index).ok()?)) {
            events.splice(0..0, plan.events.iter().cloned());
            lsn = plan.previous;
        }
        Ok(OrderEvents { events, complete: true })
    }

    fn decisions(&self, after: Lsn, limit: usize, _plans_max: usize) -> Result<DecisionPage, FeedError> {
        let plans = self.0.locked();
        let numbered = (1..).map(Lsn).zip(plans.iter()).skip(usize::try_from(after.0).unwrap_or(usize::MAX));
        let decision = |(lsn, plan): (Lsn, &StoredPlan)| {
            plan.plan.mutations().iter().find_map(Mutation::decision).map(|decision| (lsn, (**decision).clone()))
        };
        let decisions: Vec<_> = numbered.filter_map(decision).take(limit).collect();
        let end = Lsn(plans.len() as u64);
        let at_end = decisions.len() < limit;
        let looked_to = if at_end { end } else { decisions.last().map_or(end, |(lsn, _)| *lsn) };
        Ok(DecisionPage { decisions, looked_to, at_end })
    }
}

struct MemoryFeed {
    log: Arc<Log>,
    after: Sequence,
}

impl EventFeed for MemoryFeed {
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        let skipped = usize::try_from(self.after.0).unwrap_or(usize::MAX);
        batch.extend(self.log.events().into_iter().skip(skipped).take(events_max));
        self.after = batch.last().map_or(self.after, |event| event.sequence.max(self.after));
        Ok(())
    }

    fn position(&self) -> FeedPosition {
        FeedPosition { sequence: self.after, ..FeedPosition::START }
    }

    fn durable_sequence(&self) -> Sequence {
        Sequence(self.log.events().len() as u64)
    }
}
