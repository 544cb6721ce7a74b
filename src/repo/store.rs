//! Orders, remembered commands and the journal as one: the committer of plans.

use std::io;
use std::sync::Arc;

use super::dedup_table::DedupEntry;
use super::order_repo::{InsertError, Undo};
use super::plan_record::{self, PlanRecord};
use super::{DedupTable, DurableSequence, OrderTable};
use crate::contracts::{
    CommitError, JournalStatus, Lsn, Mutation, OrderNotFound, OrderRepository, Plan, PlanStore, RememberedCommand,
    Sequence, Staged, StoreStatus,
};
use crate::domain::{CommandId, Order, OrderId, OrderState};
use crate::journal::Journal;

/// The committer over the journal.
pub struct Store {
    state: StoreState,
    journal: Journal,
    source: Arc<str>,
    durable_sequence: Arc<DurableSequence>,
    /// How to take back what was staged, oldest first.
    undo: Vec<UndoStep>,
    /// Where a plan's stored form is put together.
    body: Vec<u8>,
    full: bool,
}

/// What the journal's frames add up to.
#[derive(Debug)]
pub struct StoreState {
    /// All orders.
    pub orders: OrderTable,
    /// The command ids that were used last.
    pub commands: DedupTable,
    /// The last event's number.
    pub last_sequence: Sequence,
}

enum UndoStep {
    Order(Undo),
    Command,
    Sequence(Sequence),
}

impl StoreState {
    /// The state of an empty store.
    #[must_use]
    pub fn new(command_ids_max: usize) -> Self {
        let commands = DedupTable::new(command_ids_max);
        Self { orders: OrderTable::default(), commands, last_sequence: Sequence::ZERO }
    }

    /// Applies a plan that was read back. Up to `already_maybe` the state may hold its effect already: a checkpoint is
    /// copied while commands go on. Versions tell.
    ///
    /// # Errors
    /// The plan does not fit the state.
    pub fn redo(&mut self, lsn: Lsn, stored: &PlanRecord<'_>, already_maybe: Lsn) -> Result<(), String> {
        let lenient = lsn <= already_maybe;
        let mut touched = None;
        for mutation in &stored.mutations {
            match mutation {
                Mutation::InsertOrder(state) => {
                    let row = match self.orders.insert(*state) {
                        Ok((row, _)) => row,
                        Err(InsertError::Exists(row)) if lenient => row,
                        Err(error) => return Err(error.to_string()),
                    };
                    touched = Some((row, state.version));
                }
                Mutation::UpdateOrder(update) => {
                    let row = match self.orders.update(update) {
                        Ok((row, _)) => row,
                        Err(problem) => match self.orders.find(update.order_id) {
                            Some((row, state)) if lenient && state.version >= update.version => row,
                            Some(_) | None => return Err(problem),
                        },
                    };
                    touched = Some((row, update.version));
                }
                Mutation::InsertOutbox(_) => self.last_sequence = self.last_sequence.next(),
                Mutation::InsertCommand(command) => {
                    let Some((row, version)) = touched else { return Err("a command without an order".to_owned()) };
                    if lsn > self.commands.last_lsn() {
                        let (command_id, fingerprint) = (command.command_id, command.fingerprint);
                        self.commands.push(DedupEntry { command_id, fingerprint, row, version, lsn });
                        self.commands.evict();
                    }
                }
            }
        }
        let entries = stored.mutations.iter().filter(|mutation| matches!(mutation, Mutation::InsertOutbox(_))).count();
        let expected = stored.first_sequence.plus(entries as u64);
        if entries > 0 && self.last_sequence.next() != expected {
            return Err(format!("its events begin with {}, which leaves a gap", stored.first_sequence));
        }
        Ok(())
    }
}

impl Store {
    /// Joins a state with the journal that it was rebuilt from.
    #[must_use]
    pub const fn new(
        state: StoreState,
        journal: Journal,
        source: Arc<str>,
        durable_sequence: Arc<DurableSequence>,
    ) -> Self {
        Self { state, journal, source, durable_sequence, undo: Vec::new(), body: Vec::new(), full: false }
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

    fn apply(&mut self, plan: &Plan, lsn: Lsn) -> Result<OrderState, String> {
        let mut touched = Err("a plan without an order".to_owned());
        self.undo.push(UndoStep::Sequence(self.state.last_sequence));
        for mutation in plan.mutations() {
            match mutation {
                Mutation::InsertOrder(state) => {
                    let (row, undo) = self.state.orders.insert(*state).map_err(|error| error.to_string())?;
                    self.undo.push(UndoStep::Order(undo));
                    touched = Ok((row, *state));
                }
                Mutation::UpdateOrder(update) => {
                    let (row, undo) = self.state.orders.update(update)?;
                    self.undo.push(UndoStep::Order(undo));
                    touched = self.state.orders.row(row).map(|state| (row, *state)).ok_or_else(|| "no row".to_owned());
                }
                Mutation::InsertOutbox(_) => self.state.last_sequence = self.state.last_sequence.next(),
                Mutation::InsertCommand(command) => {
                    let (row, state) = touched.clone()?;
                    let (command_id, fingerprint) = (command.command_id, command.fingerprint);
                    let version = state.version;
                    self.state.commands.push(DedupEntry { command_id, fingerprint, row, version, lsn });
                    self.undo.push(UndoStep::Command);
                }
            }
        }
        touched.map(|(_, state)| state)
    }

    fn roll_back(&mut self) {
        while let Some(step) = self.undo.pop() {
            match step {
                UndoStep::Order(undo) => self.state.orders.undo(undo),
                UndoStep::Command => self.state.commands.pop(),
                UndoStep::Sequence(before) => self.state.last_sequence = before,
            }
        }
    }
}

impl OrderRepository for Store {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, OrderNotFound> {
        self.state.orders.retrieve(order_id)
    }
}

impl PlanStore for Store {
    fn stage(&mut self, plan: &Plan) -> Result<Staged, CommitError> {
        plan_record::encode(plan, self.state.last_sequence.next(), &self.source, &mut self.body);
        let lsn = self.journal.stage(&self.body);
        // A plan that does not fit the state it was made from would be refused by every later start: end here, before
        // it is written.
        let order = self.apply(plan, lsn).map_err(|problem| CommitError::Failed {
            operation: "check of a plan",
            source: io::Error::other(problem),
        })?;
        Ok(Staged { lsn, order })
    }

    fn commit(&mut self) -> Result<(), CommitError> {
        let committed = self.journal.commit();
        match &committed {
            Ok(()) => {
                self.undo.clear();
                self.durable_sequence.set(self.state.last_sequence);
                self.state.commands.evict();
            }
            Err(CommitError::Full(_)) => {
                self.roll_back();
                self.full = true;
            }
            Err(CommitError::Failed { .. }) => {}
        }
        committed
    }

    fn prefetch(&self, order_ids: &[OrderId]) {
        self.state.orders.fetch(order_ids);
    }

    fn staged_bytes(&self) -> usize {
        self.journal.staged_bytes()
    }

    fn has_room(&mut self) -> Result<bool, CommitError> {
        let has_room = self.journal.has_room()?;
        self.full = !has_room;
        Ok(has_room)
    }

    fn remembered(&self, command_id: CommandId) -> Option<RememberedCommand> {
        let command = self.state.commands.find(command_id)?;
        let order = self.state.orders.row(command.row)?.as_of(command.version);
        Some(RememberedCommand { fingerprint: command.fingerprint, order, lsn: command.lsn })
    }

    fn durable_lsn(&self) -> Lsn {
        self.journal.durable_lsn()
    }

    fn status(&self) -> StoreStatus {
        let index = self.journal.index();
        let (segments, bytes) = index.totals();
        let (durable_lsn, checkpoint_lsn) = (index.durable_lsn(), index.checkpoint_lsn());
        StoreStatus {
            full: self.full,
            journal: JournalStatus { durable_lsn, checkpoint_lsn, bytes, segments },
            orders_count: self.state.orders.count() as u64,
            last_sequence: self.state.last_sequence,
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.journal.close()
    }
}
