//! What the journal's plans add up to, and how one more changes it.

use super::delivery_state::UndoDecision;
use super::order_repo::{InsertError, Undo};
use super::stored::OrderTimes;
use super::{DedupEntry, DedupTable, DeliveryState, OrderTable, PlanRecord};
use crate::contracts::{Lsn, Mutation, OrderRow, OrderUpdate, Plan, RememberedCommand, Sequence};
use crate::domain::{CommandId, OrderState};

/// The state of a store.
#[derive(Debug)]
pub struct StoreState {
    /// All orders.
    pub orders: OrderTable,
    /// The command ids that were used last.
    pub commands: DedupTable,
    /// What was decided about delivery.
    pub delivery: DeliveryState,
    /// The last event's number.
    pub last_sequence: Sequence,
}

/// How to take back one change of the state.
pub(super) enum UndoStep {
    Order(Undo),
    Command,
    Sequence(Sequence),
    Decision(UndoDecision),
}

impl StoreState {
    /// The state of an empty store.
    #[must_use]
    pub fn new(command_ids_max: usize) -> Self {
        let commands = DedupTable::new(command_ids_max);
        let (orders, delivery) = (OrderTable::default(), DeliveryState::default());
        Self { orders, commands, delivery, last_sequence: Sequence::ZERO }
    }

    /// The command of this id with its first answer, if it is among those remembered.
    #[must_use]
    pub fn remembered(&self, command_id: CommandId) -> Option<RememberedCommand> {
        let command = self.commands.find(command_id)?;
        let order = self.orders.row(command.row)?.state.as_of(command.version);
        Some(RememberedCommand { fingerprint: command.fingerprint, order, lsn: command.lsn })
    }

    /// Applies a plan that was decided on this state, and notes in `undo` how to take it back. Returns the order after
    /// it, if it changes one.
    pub(super) fn apply(
        &mut self,
        plan: &Plan,
        lsn: Lsn,
        undo: &mut Vec<UndoStep>,
    ) -> Result<Option<OrderState>, String> {
        let mut touched = None;
        undo.push(UndoStep::Sequence(self.last_sequence));
        for mutation in plan.mutations() {
            match mutation {
                Mutation::InsertOrder(state) => {
                    let (row, step) = self.orders.insert(*state, lsn).map_err(|error| error.to_string())?;
                    undo.push(UndoStep::Order(step));
                    touched = Some((row, *state));
                }
                Mutation::UpdateOrder(update) => {
                    let (row, step) = self.orders.update(update, lsn)?;
                    undo.push(UndoStep::Order(step));
                    touched = self.orders.row(row).map(|order| (row, order.state));
                }
                Mutation::InsertOutbox(_) => self.last_sequence = self.last_sequence.next(),
                Mutation::InsertCommand(command) => {
                    let Some((row, state)) = touched else { return Err("a command without an order".to_owned()) };
                    let (command_id, fingerprint) = (command.command_id, command.fingerprint);
                    let version = state.version;
                    self.commands.push(DedupEntry { command_id, fingerprint, row, version, lsn });
                    undo.push(UndoStep::Command);
                }
                Mutation::Decide(decision) => {
                    undo.push(UndoStep::Decision(self.delivery.apply(lsn, decision)));
                }
            }
        }
        Ok(touched.map(|(_, state)| state))
    }

    /// Whether the order in `row`, which a checkpoint holds, began as `state`.
    fn holds(&self, row: u32, state: &OrderState, lsn: Lsn) -> bool {
        self.orders.row(row).is_some_and(|held| held.last_lsn >= lsn && held.state.as_of(state.version) == *state)
    }

    /// Takes changes back, the last one first.
    pub(super) fn roll_back(&mut self, undo: &mut Vec<UndoStep>) {
        while let Some(step) = undo.pop() {
            match step {
                UndoStep::Order(undo) => self.orders.undo(undo),
                UndoStep::Command => self.commands.pop(),
                UndoStep::Sequence(before) => self.last_sequence = before,
                UndoStep::Decision(undo) => self.delivery.undo(undo),
            }
        }
    }

    /// Applies a plan that was read back. Up to `already_maybe` the state may hold its effect already: a checkpoint is
    /// copied while commands go on. Versions tell.
    ///
    /// # Errors
    /// The plan does not fit the state.
    pub fn redo(&mut self, lsn: Lsn, stored: &PlanRecord<'_>, already_maybe: Lsn) -> Result<(), String> {
        let lenient = lsn <= already_maybe;
        let mut touched = None;
        self.check_first(stored.first_sequence)?;
        for mutation in &stored.mutations {
            match mutation {
                Mutation::InsertOrder(state) => {
                    let row = match self.orders.insert(*state, lsn) {
                        Ok((row, _)) => row,
                        Err(InsertError::Exists(row)) if lenient && self.holds(row, state, lsn) => row,
                        Err(error) => return Err(error.to_string()),
                    };
                    touched = Some((row, state.version));
                }
                Mutation::UpdateOrder(update) => {
                    let before = self.orders.find(update.order_id);
                    let Some((row, before)) = before else {
                        return Err(format!("there is no order {}", update.order_id));
                    };
                    match self.orders.update(update, lsn) {
                        Ok(_) if before.last_lsn == stored.previous_lsn => {}
                        Ok(_) => return Err(chain_problem(stored, before.last_lsn)),
                        Err(_) if lenient && is_effect(update, &before, lsn) => {}
                        Err(problem) => return Err(problem),
                    }
                    let then = before.state.as_of(update.from_version);
                    if stored.before != Some(OrderTimes::from(&then)) {
                        return Err(format!("order {} had other times than it says", update.order_id));
                    }
                    touched = Some((row, update.version));
                }
                Mutation::InsertOutbox(_) => self.last_sequence = self.last_sequence.next(),
                Mutation::InsertCommand(command) => {
                    let Some((row, version)) = touched else { return Err("a command without an order".to_owned()) };
                    if lsn > self.commands.last_lsn() {
                        let (command_id, fingerprint) = (command.command_id, command.fingerprint);
                        self.commands.push(DedupEntry { command_id, fingerprint, row, version, lsn });
                        self.commands.evict();
                    } else if let Some(known) = self.commands.find(command.command_id)
                        && known.lsn == lsn
                        && (known.fingerprint, known.row) != (command.fingerprint, row)
                    {
                        return Err(format!("command {} is remembered otherwise", command.command_id));
                    }
                }
                // What it takes to take it back is dropped: what is read back had been durable.
                Mutation::Decide(decision) => drop(self.delivery.apply(lsn, decision)),
            }
        }
        Ok(())
    }

    /// Passes over a plan that was read back and whose changes belong to another share of the orders.
    ///
    /// # Errors
    /// Its events do not follow those before it.
    pub fn pass_over(&mut self, stored: &PlanRecord<'_>) -> Result<(), String> {
        self.check_first(stored.first_sequence)?;
        self.last_sequence = Sequence(self.last_sequence.0.saturating_add(stored.events_count()));
        Ok(())
    }

    fn check_first(&self, first: Sequence) -> Result<(), String> {
        if first == self.last_sequence.next() {
            return Ok(());
        }
        Err(format!("its events begin with {first}, but {} was due", self.last_sequence.next()))
    }
}

/// Whether an order that a checkpoint holds shows the effect of an update: its past is told from its present.
fn is_effect(update: &OrderUpdate, held: &OrderRow, lsn: Lsn) -> bool {
    let then = held.state.as_of(update.version);
    held.last_lsn >= lsn
        && held.state.version >= update.version
        && update.status.is_none_or(|status| status == then.status)
        && update.completed_at.is_none_or(|at| Some(at) == then.completed_at)
        && update.cancelled_at.is_none_or(|at| Some(at) == then.cancelled_at)
}

fn chain_problem(stored: &PlanRecord<'_>, last_lsn: Lsn) -> String {
    format!("it follows the order's plan at LSN {}, but that is at LSN {last_lsn}", stored.previous_lsn)
}
