//! The store over PostgreSQL: what it reads for a batch, how it stores it, and what it hears of others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::batch::{Batch, STAGED_AFTER, SeenOrder};
use super::command_row::remembered_command;
use super::connection::Step;
use super::decisions::{DecisionRows, StagedDecision};
use super::error::unfit;
use super::executor_link::{Backoff, BatchOutcome, Link};
use super::mirror::{Head, Mirror};
use super::order_row::{bigint, column, order};
use super::transaction::{Fence, Stored, store};
use super::{Database, DatabaseError, Leases, PostgresHistory, check_complete, check_version};
use crate::contracts::{
    Clock, CommitError, Committed, Contested, DecisionInbox, DecisionNews, Envelope, Lsn, StoreUnavailable,
};
use crate::domain::{CommandId, OrderId};
use crate::repo::DurableSequence;

/// What the configuration says about the store.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `daemon.event_source`
    pub event_source: Arc<str>,
    /// The shortest wait before connecting again.
    pub backoff_min: Duration,
    /// The longest.
    pub backoff_max: Duration,
    /// How long a commit that was not answered is asked for.
    pub outcome_max: Duration,
    /// How often others' plans are looked for while nothing comes.
    pub poll: Duration,
    /// Partitions are made for this many events ahead, should whoever maintains them not keep up.
    pub partition_events_ahead: u64,
}

/// The store.
pub struct PostgresStore {
    database: Database,
    pub(super) options: PostgresOptions,
    clock: Arc<dyn Clock>,
    pub(super) link: RefCell<Link>,
    pub(super) batch: RefCell<Batch>,
    pub(super) mirror: Mirror,
    pub(super) head: Head,
    pub(super) staged: Vec<StagedDecision>,
    /// Stored decisions whose worker has still to hear of them, with its tickets.
    pub(super) awaited: BTreeMap<Lsn, Option<u64>>,
    pub(super) inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>,
    leases: Option<Arc<Leases>>,
    durable_sequence: Arc<DurableSequence>,
    pub(super) history: Arc<PostgresHistory>,
    /// When the head was last read.
    looked_at: Duration,
    /// What this daemon rests on and the database has not any more.
    lost: Option<String>,
    /// Somebody has heard that there is something to look at.
    pub(super) look: Arc<AtomicBool>,
}

impl PostgresStore {
    /// Connects, checks the schema, and reads what was decided about delivery.
    ///
    /// # Errors
    /// The database does not answer, or is not one that this program works with.
    pub fn open(database: &Database, options: PostgresOptions, clock: Arc<dyn Clock>) -> Result<Self, DatabaseError> {
        let backoff = Backoff::new(options.backoff_min, options.backoff_max);
        let mut link = Link::new(database.clone(), Arc::clone(&clock), backoff);
        let connection = &mut link.writer()?.connection;
        check_version(connection)?;
        check_complete(connection)?;
        let (mirror, head) = Mirror::load(connection)?;
        let durable_sequence = Arc::new(DurableSequence::new(head.last_sequence));
        let history = Arc::new(PostgresHistory::new(database.clone(), Arc::clone(&durable_sequence)));
        let looked_at = clock.monotonic();
        Ok(Self {
            database: database.clone(),
            options,
            clock,
            link: RefCell::new(link),
            batch: RefCell::default(),
            mirror,
            head,
            staged: Vec::new(),
            awaited: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            leases: None,
            durable_sequence,
            history,
            looked_at,
            lost: None,
            look: Arc::default(),
        })
    }

    /// Where the workers of sinks hear of decisions. To be called before the first commit.
    pub fn set_inboxes(&mut self, inboxes: BTreeMap<Arc<str>, Arc<DecisionInbox>>) {
        self.inboxes = inboxes;
    }

    /// From now on what workers decide is stored only while this daemon relays their sink.
    pub fn fence_with(&mut self, leases: Arc<Leases>) {
        self.leases = Some(leases);
    }

    /// To be set when others have stored something; the next [`PlanStore::make_room`](crate::contracts::PlanStore) looks.
    #[must_use]
    pub fn look(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.look)
    }

    /// How long to wait before trying once more.
    #[must_use]
    pub const fn backoff(&self) -> Duration {
        self.options.backoff_min
    }

    /// The number of the last durable event, for the relay.
    #[must_use]
    pub const fn durable_sequence(&self) -> &Arc<DurableSequence> {
        &self.durable_sequence
    }

    /// `daemon.event_source`: what events that are stored now carry.
    #[must_use]
    pub fn event_source(&self) -> Arc<str> {
        Arc::clone(&self.options.event_source)
    }

    /// Runs a query on the store's connection.
    pub(super) fn ask<T>(
        &self,
        query: impl FnOnce(&mut super::Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, StoreUnavailable> {
        let mut link = self.link.borrow_mut();
        let asked = link.writer().and_then(|writer| query(&mut writer.connection));
        asked.map_err(|error| {
            link.after(&error);
            StoreUnavailable
        })
    }

    /// The order as the batch sees it; read now if it was not before.
    pub(super) fn seen(&self, order_id: OrderId) -> Result<SeenOrder, StoreUnavailable> {
        if let Some(seen) = self.batch.borrow().orders.get(&order_id) {
            return Ok(*seen);
        }
        let found = self.ask(|connection| {
            let rows = connection.query("find_orders", &[&[order_id.uuid()].as_slice()])?;
            rows.first().map(|row| order(row, 0)).transpose()
        })?;
        let seen = SeenOrder::of(found);
        self.batch.borrow_mut().orders.insert(order_id, seen);
        Ok(seen)
    }

    pub(super) fn read(&self, requests: &[Envelope]) -> Result<Head, DatabaseError> {
        let mut batch = Batch::default();
        let (mut orders, mut commands) = (Vec::new(), Vec::new());
        for envelope in requests {
            if let Some(order_id) = envelope.request.order_id() {
                orders.push(order_id.uuid());
                batch.orders.insert(order_id, SeenOrder::of(None));
            }
            if let Some(command_id) = envelope.request.command_id() {
                commands.push(command_id.uuid());
                batch.commands.insert(command_id, None);
            }
        }
        // In this order: see SCHEMA.sql.
        let mut steps = Vec::new();
        if !orders.is_empty() {
            steps.push(Step { name: "find_orders", params: vec![&orders] });
        }
        if !commands.is_empty() {
            steps.push(Step { name: "find_commands", params: vec![&commands] });
        }
        steps.push(Step { name: "read_head", params: vec![] });
        let mut link = self.link.borrow_mut();
        let mut answers = link.writer()?.connection.pipeline(&steps)?.into_iter();
        if !orders.is_empty() {
            for row in answers.next().unwrap_or_default() {
                let state = order(&row, 0)?;
                batch.orders.insert(state.order_id, SeenOrder::of(Some(state)));
            }
        }
        if !commands.is_empty() {
            for row in answers.next().unwrap_or_default() {
                batch.commands.insert(CommandId::new(column(&row, 0)?), Some(remembered_command(&row)?));
            }
        }
        *self.batch.borrow_mut() = batch;
        let head = answers.next().unwrap_or_default();
        Head::of(head.first().ok_or_else(|| super::order_row::out_of_range("head"))?)
    }

    /// Takes over what others have stored.
    pub(super) fn follow(&mut self, head: Head) {
        self.looked_at = self.clock.monotonic();
        if head.last_lsn < self.head.last_lsn || head.last_decision < self.mirror.seen() {
            self.lost = Some(format!("plans up to {}, which this daemon has seen", self.head.last_lsn));
            return;
        }
        if head.decisions_removed > self.mirror.seen() {
            self.lost = Some(format!("decisions after {}, which this daemon has not read", self.mirror.seen()));
            return;
        }
        self.head = head;
        self.durable_sequence.set(head.last_sequence);
        if head.last_decision > self.mirror.seen() || !self.awaited.is_empty() {
            self.read_decisions();
        }
    }

    /// Applies what was decided, and tells this daemon's workers.
    fn read_decisions(&mut self) {
        let read = {
            let mut link = self.link.borrow_mut();
            let read = link.writer().and_then(|writer| self.mirror.read_on(&mut writer.connection));
            read.inspect_err(|error| link.after(error))
        };
        match read {
            Ok(decisions) => {
                for (lsn, decision) in decisions {
                    let ticket = self.awaited.remove(&lsn).flatten();
                    if let Some(inbox) = self.inboxes.get(&decision.sink) {
                        inbox.put([DecisionNews::Durable { ticket, lsn, decision, row: None }]);
                    }
                }
                self.awaited.clear();
            }
            Err(error) => tracing::warn!(%error, "what was decided about delivery cannot be read now"),
        }
    }

    /// What this daemon knows must be in the database: after a failover that lost plans, only a start makes it so.
    pub(super) fn check_history(&self) -> Result<(), CommitError> {
        let Some(lost) = &self.lost else { return Ok(()) };
        let problem = io::Error::other(format!("it has not any more {lost}"));
        Err(CommitError::Failed { operation: "look at the database", source: problem })
    }

    /// Whether another daemon relays the sink, or none.
    pub(super) fn is_relayed_elsewhere(&self, sink: &str) -> bool {
        self.leases.as_ref().is_some_and(|leases| leases.epoch_of(sink).is_none())
    }

    /// Looks for what others have stored, if it was not looked for of late.
    pub(super) fn poll(&mut self) {
        let told = self.look.swap(false, Ordering::Acquire);
        if !told && self.clock.monotonic() < self.looked_at.saturating_add(self.options.poll) {
            return;
        }
        self.looked_at = self.clock.monotonic();
        let head = self.ask(|connection| {
            let rows = connection.query("read_head", &[])?;
            Head::of(rows.first().ok_or_else(|| super::order_row::out_of_range("head"))?)
        });
        // Where there is none the log tells why, and the status shows it.
        if let Ok(head) = head {
            self.follow(head);
        }
    }

    /// The epochs that this daemon's workers decided under; `None` if it does not relay one of the sinks any more.
    fn fences(&self) -> Option<Vec<Fence>> {
        let Some(leases) = &self.leases else { return Some(Vec::new()) };
        let mut fences = BTreeMap::new();
        for staged in self.staged.iter().filter(|staged| staged.ticket.is_some()) {
            fences.insert(staged.decision.sink.to_string(), leases.held(&staged.decision.sink)?);
        }
        Some(fences.into_iter().map(|(sink, held)| (sink, held.epoch, held.store_epoch)).collect())
    }

    pub(super) fn send(&mut self, batch: &Batch) -> Result<Committed, CommitError> {
        let Some(fences) = self.fences() else {
            return Err(CommitError::Conflict { which: Contested::Delivery });
        };
        let decisions =
            DecisionRows::of(&self.staged, self.mirror.state()).map_err(|error| unfit(error.to_string()))?;
        let stored = Stored {
            batch,
            decisions: &decisions,
            fences: &fences,
            seen_decision: bigint(self.mirror.seen().0),
            source: &self.options.event_source,
            instance: self.database.instance(),
        };
        let link = self.link.get_mut();
        let (sent, writer_id, number) = match link.writer() {
            Ok(writer) => (store(writer, &stored), writer.id, writer.batch),
            Err(error) => return Err(CommitError::Unavailable(error.to_string())),
        };
        match sent {
            Ok(before) => Ok(self.stored(batch, before)),
            Err(error @ DatabaseError::Unavailable(_)) => {
                self.link.get_mut().after(&error);
                self.ask_outcome(batch, writer_id, number, &error)
            }
            Err(DatabaseError::Conflict { which, message }) => {
                tracing::debug!(message, "a batch lost a race");
                Err(CommitError::Conflict { which })
            }
            Err(DatabaseError::NoPartition(message)) => {
                tracing::warn!(message, "no partition for the next events; making one");
                self.add_partitions();
                Err(CommitError::Conflict { which: Contested::Lock })
            }
            Err(DatabaseError::Full(message)) => {
                Err(CommitError::Full(io::Error::new(io::ErrorKind::StorageFull, message)))
            }
            Err(error @ DatabaseError::Refused(_)) => {
                tracing::error!(%error, "the database refused a batch");
                Err(CommitError::Unavailable(error.to_string()))
            }
        }
    }

    /// After the answer to a COMMIT was lost: finds out what became of it, as long as that may take.
    fn ask_outcome(
        &mut self,
        batch: &Batch,
        writer: uuid::Uuid,
        number: i64,
        lost: &DatabaseError,
    ) -> Result<Committed, CommitError> {
        let until = self.clock.monotonic().saturating_add(self.options.outcome_max);
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            match self.link.get_mut().outcome(writer, number, left) {
                Ok(BatchOutcome::Stored(after)) => {
                    tracing::info!(%after, "a commit whose answer was lost is stored");
                    // Its sequences are at least these; the next look tells.
                    let last_decision = self.mirror.seen();
                    let committed = self.stored(batch, Head { last_lsn: after, last_decision, ..self.head });
                    self.looked_at = Duration::ZERO;
                    return Ok(committed);
                }
                Ok(BatchOutcome::NotStored) => return Err(CommitError::Conflict { which: Contested::Lock }),
                Ok(BatchOutcome::Unknown) => return Err(CommitError::Unknown(lost.to_string())),
                Err(error) if self.clock.monotonic() >= until => {
                    tracing::warn!(%error, "the outcome of a commit is unknown");
                    return Err(CommitError::Unknown(lost.to_string()));
                }
                Err(error) => {
                    tracing::debug!(%error, "asking for the outcome of a commit");
                    // Nobody stops this thread; the loop's end is near.
                    crossbeam_channel::after(self.options.backoff_min).recv().ok();
                }
            }
        }
    }

    /// After a commit: the head moves on, and what was decided is applied in its order.
    fn stored(&mut self, batch: &Batch, before: Head) -> Committed {
        let after = before.last_lsn;
        let head = Head {
            last_lsn: after.plus(batch.plans),
            last_sequence: before.last_sequence.plus(batch.events.ids.len() as u64),
            ..before
        };
        self.mirror.roll_back();
        for staged in self.staged.drain(..) {
            self.awaited.insert(after.plus(staged.plan), staged.ticket);
        }
        self.follow(head);
        Committed::moved(STAGED_AFTER, after)
    }

    /// Takes back what is staged, and tells the workers whose decisions were among it.
    pub(super) fn give_up(&mut self) {
        self.mirror.roll_back();
        let mut told = None;
        for StagedDecision { ticket, decision, .. } in self.staged.drain(..) {
            let Some(ticket) = ticket else { continue };
            let of = (Arc::clone(&decision.sink), ticket);
            if told.as_ref() != Some(&of)
                && let Some(inbox) = self.inboxes.get(&decision.sink)
            {
                inbox.put([DecisionNews::Full { ticket }]);
            }
            told = Some(of);
        }
    }

    fn add_partitions(&self) {
        let ahead = bigint(self.options.partition_events_ahead);
        let added = self.ask(|connection| connection.query("add_partitions", &[&ahead]).map(drop));
        if added.is_err() {
            tracing::error!("no partition could be made");
        }
    }
}
