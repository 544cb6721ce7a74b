//! Orders, remembered commands, delivery decisions and the journal as one: the store of plans.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::history::JournalHistory;
use super::state::{StoreState, UndoStep};
use super::stored::{OrderTimes, PlanContext, encode};
use super::{DurableSequence, OrderTable, order_repo, outbox_muts};
use crate::contracts::{
    CommitError, Committed, Decision, DecisionInbox, DecisionKind, DecisionNews, EventHistory, JournalStatus, Lsn,
    Mutation, OrderRepository, OrderRow, Plan, PlanStore, RememberedCommand, RetrieveError, Room, Sequence, SinkRecord,
    Staged, StoreCondition, StoreStatus, StoreUnavailable,
};
use crate::domain::{CommandId, Order, OrderEvent, OrderId};
use crate::journal::{FRAME_BODY_BYTES_MAX, Journal, JournalHandle};

/// The row of an order that is parked with its part of a snapshot.
fn parked_row(orders: &OrderTable, kind: &DecisionKind) -> Option<u64> {
    let DecisionKind::Parked { order_id, events, .. } = kind else { return None };
    let is_snapshot = events.iter().any(|event| matches!(event.entry.event, OrderEvent::Snapshot(_)));
    orders.find(*order_id).filter(|_| is_snapshot).map(|(row, _)| u64::from(row))
}

/// The store over the journal.
pub struct Store {
    state: StoreState,
    journal: Journal,
    source: Arc<str>,
    durable_sequence: Arc<DurableSequence>,
    history: Arc<JournalHistory>,
    /// By sink: where its worker hears of decisions.
    inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>,
    /// How to take back what was staged, oldest first.
    undo: Vec<UndoStep>,
    /// The decisions among what was staged.
    decided: Vec<StagedDecision>,
    /// Where a plan's stored form is put together.
    body: Vec<u8>,
    room: Room,
}

struct StagedDecision {
    ticket: Option<u64>,
    lsn: Lsn,
    decision: Arc<Decision>,
}

impl Store {
    /// Joins a state with the journal that it was rebuilt from.
    #[must_use]
    pub fn new(
        state: StoreState,
        journal: Journal,
        files: JournalHandle,
        source: Arc<str>,
        durable_sequence: Arc<DurableSequence>,
    ) -> Self {
        let history = Arc::new(JournalHistory::new(files, Arc::clone(&durable_sequence)));
        Self {
            state,
            journal,
            source,
            durable_sequence,
            history,
            inboxes: BTreeMap::new(),
            undo: Vec::new(),
            decided: Vec::new(),
            body: Vec::new(),
            room: Room::ForAll,
        }
    }

    /// Where the workers of sinks hear of decisions. To be called before the first commit.
    pub fn set_inboxes(&mut self, inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>) {
        self.inboxes = inboxes;
    }

    /// What was rebuilt; between two batches everything in it is durable.
    #[must_use]
    pub const fn state(&self) -> &StoreState {
        &self.state
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The number of the last durable event, for the relay.
    #[must_use]
    pub const fn durable_sequence(&self) -> &Arc<DurableSequence> {
        &self.durable_sequence
    }

    /// `daemon.event_source`: what events that are stored now carry.
    #[must_use]
    pub fn event_source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    /// The stored form of `plan`, into `body`.
    fn encode(&mut self, plan: &Plan) {
        let changed = plan.mutations().iter().find_map(Mutation::order_id);
        let previous = changed.and_then(|order_id| self.state.orders.find(order_id));
        let context = PlanContext {
            first_sequence: self.state.last_sequence.next(),
            source: &self.source,
            epoch: self.state.delivery.epoch(),
            previous_lsn: previous.map_or(Lsn::ZERO, |(_, row)| row.last_lsn),
            before: previous.map(|(_, row)| OrderTimes::from(&row.state)),
        };
        encode(plan, context, &mut self.body);
    }

    /// Tells the workers what is durable now.
    fn publish_decisions(&mut self) {
        let is_skip = |kind: &DecisionKind| kind.as_str() == "skipped";
        if self.decided.iter().any(|staged| is_skip(&staged.decision.kind)) {
            self.drop_old_skips();
        }
        for StagedDecision { ticket, lsn, decision } in self.decided.drain(..) {
            if let Some(inbox) = self.inboxes.get(&decision.sink) {
                let row = parked_row(&self.state.orders, &decision.kind);
                inbox.put([DecisionNews::Durable { ticket, lsn, decision, row }]);
            }
        }
    }

    /// What was skipped is remembered as long as the journal holds it. Where that cannot be told now, it is later.
    fn drop_old_skips(&mut self) {
        if let Ok(oldest) = self.history.oldest_sequence() {
            self.state.delivery.drop_skipped_before(oldest);
        }
    }

    /// Tells the workers which of their batches are not stored.
    fn refuse_decisions(&mut self) {
        let mut told = None;
        for StagedDecision { ticket, decision, .. } in self.decided.drain(..) {
            let Some(ticket) = ticket else { continue };
            if told != Some((Arc::clone(&decision.sink), ticket)) {
                refuse(&self.inboxes, &decision.sink, ticket);
            }
            told = Some((Arc::clone(&decision.sink), ticket));
        }
    }
}

fn refuse(inboxes: &BTreeMap<Arc<str>, Arc<DecisionInbox>>, sink: &str, ticket: u64) {
    if let Some(inbox) = inboxes.get(sink) {
        inbox.put([DecisionNews::Full { ticket }]);
    }
}

fn unfit(problem: String) -> CommitError {
    CommitError::Failed { operation: "check of a plan", source: io::Error::other(problem) }
}

impl OrderRepository for Store {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError> {
        self.state.orders.retrieve(order_id)
    }

    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        order_repo::update_mut(order)
    }

    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation> {
        outbox_muts(order)
    }
}

impl PlanStore for Store {
    fn stage(&mut self, plan: &Plan) -> Result<Staged, CommitError> {
        self.encode(plan);
        if self.body.len() > FRAME_BODY_BYTES_MAX || !self.journal.fits(1, self.body.len()) {
            return Err(unfit(format!("a plan of {} bytes does not fit into what is left", self.body.len())));
        }
        let lsn = self.journal.stage(&self.body);
        // A plan that does not fit the state it was made from would be refused by every later start: end here, before
        // it is written.
        let order = self.state.apply(plan, lsn, &mut self.undo).map_err(unfit)?;
        let decisions = plan.mutations().iter().filter_map(Mutation::decision);
        let staged = |decision| StagedDecision { ticket: None, lsn, decision: Arc::clone(decision) };
        self.decided.extend(decisions.map(staged));
        Ok(Staged { lsn, order })
    }

    fn stage_decisions(&mut self, ticket: Option<u64>, decisions: Vec<Decision>) -> Result<Vec<Lsn>, CommitError> {
        let sink = decisions.first().map(|decision| Arc::clone(&decision.sink));
        let plans = Plan::of_decisions(decisions);
        let (mut bytes, mut longest) = (0_usize, 0_usize);
        for plan in &plans {
            self.encode(plan);
            bytes = bytes.saturating_add(self.body.len());
            longest = longest.max(self.body.len());
        }
        if longest > FRAME_BODY_BYTES_MAX || !self.journal.fits(plans.len(), bytes) {
            if let (Some(sink), Some(ticket)) = (sink, ticket) {
                refuse(&self.inboxes, &sink, ticket);
            }
            let problem = format!("{bytes} bytes of decisions do not fit into what is left for them");
            return Err(CommitError::Full(io::Error::new(io::ErrorKind::StorageFull, problem)));
        }
        let first = self.decided.len();
        let mut lsns = Vec::with_capacity(plans.len());
        for plan in &plans {
            lsns.push(self.stage(plan)?.lsn);
        }
        for staged in self.decided.iter_mut().skip(first) {
            staged.ticket = ticket;
        }
        Ok(lsns)
    }

    fn commit(&mut self) -> Result<Committed, CommitError> {
        let committed = self.journal.commit();
        match &committed {
            Ok(()) => {
                self.undo.clear();
                self.durable_sequence.set(self.state.last_sequence);
                self.state.commands.evict();
                self.publish_decisions();
            }
            Err(CommitError::Full(_)) => {
                self.state.roll_back(&mut self.undo);
                self.refuse_decisions();
                self.room = Room::None;
            }
            // The journal is nobody else's, and always there.
            Err(
                CommitError::Failed { .. }
                | CommitError::Conflict { .. }
                | CommitError::Unavailable(_)
                | CommitError::Unknown(_),
            ) => {}
        }
        committed.map(|()| Committed::AS_STAGED)
    }

    fn prefetch(&self, order_ids: &[OrderId]) {
        self.state.orders.fetch(order_ids);
    }

    fn staged_bytes(&self) -> usize {
        self.journal.staged_bytes()
    }

    fn make_room(&mut self) -> Result<Room, CommitError> {
        self.room = self.journal.make_room()?;
        Ok(self.room)
    }

    fn mark_idle(&mut self) -> Result<(), CommitError> {
        self.journal.mark_idle()
    }

    fn remembered(&self, command_id: CommandId) -> Result<Option<RememberedCommand>, StoreUnavailable> {
        Ok(self.state.remembered(command_id))
    }

    fn durable_lsn(&self) -> Lsn {
        self.journal.durable_lsn()
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
        Arc::clone(&self.history) as Arc<dyn EventHistory>
    }

    fn status(&self) -> StoreStatus {
        let index = self.journal.index();
        let (segments, bytes) = index.totals();
        let (durable_lsn, checkpoint_lsn) = (index.durable_lsn(), index.checkpoint_lsn());
        StoreStatus {
            condition: StoreCondition::of(self.room != Room::ForAll),
            journal: JournalStatus { durable_lsn, checkpoint_lsn, bytes, segments },
            orders_count: self.state.orders.count() as u64,
            last_sequence: self.state.last_sequence,
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.journal.close()
    }
}
