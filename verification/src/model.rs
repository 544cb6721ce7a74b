//! What orderd should do, in a few lines: orders, command ids and the outbox as plain lists.

use std::collections::HashMap;
use std::sync::Arc;

use orderd::contracts::{
    Answer, ChangeRequest, Command, Decision, DecisionKind, Fingerprint, Lsn, OutboxEntry, Outcome, PublishedEvent,
    Refusal, Request, Sequence,
};
use orderd::domain::{
    CancelReason, CommandId, EventId, OrderCancelled, OrderCompleted, OrderEvent, OrderId, OrderPlaced, OrderState,
    OrderStatus, Timestamp,
};
use orderd::relay::cloud_event;

/// A command's plan that is part of the history. Its event's number is its place in the list, from 1.
#[derive(Debug, Clone)]
pub struct PlanFacts {
    /// Its place in the journal, where decisions about delivery are between commands.
    pub lsn: Lsn,
    /// The order after it.
    pub after: OrderState,
    /// The event, as sinks get it.
    pub line: Box<[u8]>,
    /// The event.
    pub entry: OutboxEntry,
    /// The command's id and content.
    pub command: Option<(CommandId, Fingerprint)>,
}

/// The history, as far as it is certain.
#[derive(Debug, Clone)]
pub struct Model {
    source: Arc<str>,
    /// The last plan of the history, be it a command's or a decision's.
    pub last_lsn: Lsn,
    /// The decisions about delivery, in order.
    pub decisions: Vec<(Lsn, Decision)>,
    /// Events from now on carry it.
    pub epoch: u32,
    /// The store was restored: the next decision is to say so, and to begin the next epoch.
    pub was_restored: bool,
    command_ids_max: usize,
    /// The plans, in order.
    pub plans: Vec<PlanFacts>,
    /// The orders as they are now, in the order of their placing.
    pub orders: Vec<OrderState>,
    rows: HashMap<OrderId, usize>,
    /// The plans that had a command id, in order.
    commands: Vec<(CommandId, usize)>,
    /// By command id, the place in `commands` of its last use.
    places: HashMap<CommandId, usize>,
}

/// What may come of a command.
#[derive(Debug, Clone)]
pub enum Expected {
    /// A plan.
    Change(Box<PlanFacts>),
    /// The plan of this index, again.
    Duplicate(usize),
    /// Any refusal of this shape.
    Refused(Refusal),
    /// An order.
    Found(OrderState),
    /// The status.
    Status,
}

impl Model {
    /// The history of a new store.
    #[must_use]
    pub fn new(source: &str, command_ids_max: usize) -> Self {
        Self {
            source: source.into(),
            last_lsn: Lsn::ZERO,
            decisions: Vec::new(),
            epoch: 1,
            was_restored: false,
            command_ids_max,
            plans: Vec::new(),
            orders: Vec::new(),
            rows: HashMap::new(),
            commands: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// An order.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<&OrderState> {
        self.rows.get(&order_id).map(|row| &self.orders[*row])
    }

    /// The orders as they were after the event `sequence`, in the order of their placing.
    #[must_use]
    pub fn orders_as_of(&self, sequence: u64) -> Vec<OrderState> {
        let mut rows: HashMap<OrderId, usize> = HashMap::new();
        let mut orders = Vec::new();
        for plan in self.plans.iter().take(usize::try_from(sequence).unwrap_or(usize::MAX)) {
            match rows.get(&plan.after.order_id) {
                Some(row) => orders[*row] = plan.after,
                None => {
                    rows.insert(plan.after.order_id, orders.len());
                    orders.push(plan.after);
                }
            }
        }
        orders
    }

    /// An order as of the event `sequence`, as a sink gets it that starts with a snapshot.
    #[must_use]
    pub fn snapshot_line(&self, order: &OrderState, sequence: u64) -> Vec<u8> {
        let id = EventId::of_snapshot(order.order_id, 1, sequence);
        let entry =
            OutboxEntry { id, order_version: order.version, event: OrderEvent::Snapshot(*order), context: None };
        let sequence = Sequence(sequence);
        let mut line = Vec::new();
        let rendered = cloud_event::render(
            &PublishedEvent { sequence, entry, source: Arc::clone(&self.source), epoch: 1 },
            &mut line,
        );
        if rendered.is_err() {
            line.clear();
        }
        line.push(b'\n');
        line
    }

    /// The commands that must be remembered, oldest first, with the index of their plan.
    #[must_use]
    pub fn remembered(&self) -> &[(CommandId, usize)] {
        &self.commands[self.commands.len().saturating_sub(self.command_ids_max)..]
    }

    /// Whether the command id must be remembered; `None` if it was never used.
    #[must_use]
    pub fn remembers(&self, command_id: CommandId) -> Option<bool> {
        self.places.get(&command_id).map(|place| self.commands.len() - place <= self.command_ids_max)
    }

    /// What may come of `command` at `now`, the likeliest first. `new_id` is the id that an order got which was placed
    /// without one.
    #[must_use]
    pub fn expect(&self, request: &Request, now: Timestamp, new_id: Option<OrderId>) -> Vec<Expected> {
        let change = match request {
            Request::Change(change) => change,
            Request::Get { order_id } => {
                return vec![self.order(*order_id).map_or_else(|| not_found(*order_id), |o| Expected::Found(*o))];
            }
            // None of these scripts has an operator.
            Request::Operate(_) => return Vec::new(),
        };
        let fingerprint = change.fingerprint();
        let Some(place) = change.command_id.and_then(|id| self.places.get(&id)).copied() else {
            return vec![self.decide(change, now, new_id)];
        };
        let (command_id, index) = self.commands[place];
        let same = self.plans[index].command.is_some_and(|(_, first)| first == fingerprint);
        let repeated =
            if same { Expected::Duplicate(index) } else { Expected::Refused(Refusal::CommandIdConflict(command_id)) };
        // Within a batch a little more is remembered than has to be.
        match self.remembers(command_id) {
            Some(true) => vec![repeated],
            Some(false) | None => vec![self.decide(change, now, new_id), repeated],
        }
    }

    fn decide(&self, change: &ChangeRequest, now: Timestamp, new_id: Option<OrderId>) -> Expected {
        match &change.command {
            Command::Place { order_id, customer_id, total_amount } => {
                let Some(order_id) = order_id.or(new_id) else {
                    return Expected::Refused(Refusal::Overloaded);
                };
                if self.order(order_id).is_some() {
                    return Expected::Refused(Refusal::OrderExists(order_id));
                }
                let (customer_id, total_amount) = (*customer_id, *total_amount);
                let after = OrderState {
                    order_id,
                    customer_id,
                    total_amount,
                    status: OrderStatus::Placed,
                    version: 1,
                    placed_at: now,
                    completed_at: None,
                    cancelled_at: None,
                };
                let event = OrderEvent::Placed(OrderPlaced { order_id, customer_id, total_amount, placed_at: now });
                self.change(change, after, event)
            }
            Command::Complete { order_id } => {
                let Some(before) = self.order(*order_id) else { return not_found(*order_id) };
                self.complete(change, *before, now)
            }
            Command::Cancel { order_id, reason } => {
                let Some(before) = self.order(*order_id) else { return not_found(*order_id) };
                self.cancel(change, *before, now, reason.clone())
            }
        }
    }

    fn complete(&self, change: &ChangeRequest, before: OrderState, now: Timestamp) -> Expected {
        if before.status != OrderStatus::Placed {
            return refuse_transition(&before, OrderStatus::Completed);
        }
        let completed_at = now.max(before.placed_at);
        let after = OrderState {
            status: OrderStatus::Completed,
            version: before.version + 1,
            completed_at: Some(completed_at),
            ..before
        };
        let OrderState { order_id, customer_id, total_amount, .. } = after;
        let event = OrderCompleted { order_id, customer_id, total_amount, completed_at };
        self.change(change, after, OrderEvent::Completed(event))
    }

    fn cancel(
        &self,
        change: &ChangeRequest,
        before: OrderState,
        now: Timestamp,
        reason: Option<CancelReason>,
    ) -> Expected {
        if before.status == OrderStatus::Cancelled {
            return refuse_transition(&before, OrderStatus::Cancelled);
        }
        let cancelled_at = now.max(before.completed_at.unwrap_or(before.placed_at));
        let after = OrderState {
            status: OrderStatus::Cancelled,
            version: before.version + 1,
            cancelled_at: Some(cancelled_at),
            ..before
        };
        let OrderState { order_id, customer_id, total_amount, .. } = after;
        let cancelled_from = before.status;
        let event = OrderCancelled { order_id, customer_id, total_amount, cancelled_at, cancelled_from, reason };
        self.change(change, after, OrderEvent::Cancelled(event))
    }

    fn change(&self, change: &ChangeRequest, after: OrderState, event: OrderEvent) -> Expected {
        let id = EventId::of_transition(after.order_id, after.version);
        let entry = OutboxEntry { id, order_version: after.version, event, context: None };
        let sequence = Sequence(self.plans.len() as u64 + 1);
        let source = Arc::clone(&self.source);
        let published = PublishedEvent { sequence, entry: entry.clone(), source, epoch: self.epoch };
        let mut line = Vec::new();
        if cloud_event::render(&published, &mut line).is_err() {
            line.clear();
        }
        line.push(b'\n');
        let command = change.command_id.map(|command_id| (command_id, change.fingerprint()));
        Expected::Change(Box::new(PlanFacts { lsn: self.last_lsn.next(), after, line: line.into(), entry, command }))
    }

    /// A plan is certain.
    pub fn apply(&mut self, plan: PlanFacts) {
        let index = self.plans.len();
        match self.rows.get(&plan.after.order_id) {
            Some(row) => self.orders[*row] = plan.after,
            None => {
                self.rows.insert(plan.after.order_id, self.orders.len());
                self.orders.push(plan.after);
            }
        }
        if let Some((command_id, _)) = plan.command {
            self.places.insert(command_id, self.commands.len());
            self.commands.push((command_id, index));
        }
        self.last_lsn = plan.lsn;
        self.plans.push(plan);
    }

    /// Whether a sink is being handed the snapshot that it starts with.
    #[must_use]
    pub fn is_in_snapshot(&self, sink: &str) -> bool {
        let mut of_sink =
            self.decisions.iter().map(|(_, decision)| decision).filter(|decision| *decision.sink == *sink);
        let began = of_sink
            .clone()
            .any(|decision| matches!(&decision.kind, DecisionKind::Registered(start) if start.snapshot.is_some()));
        began && !of_sink.any(|decision| decision.kind == DecisionKind::SnapshotEnded)
    }

    /// A decision is certain.
    pub fn decided(&mut self, decision: Decision) {
        self.last_lsn = self.last_lsn.next();
        if let DecisionKind::Restored { epoch } = decision.kind {
            (self.epoch, self.was_restored) = (epoch, false);
        }
        self.decisions.push((self.last_lsn, decision));
    }

    /// Compares an answer with what may come of its command, and takes in what it makes certain.
    ///
    /// # Errors
    /// The answer is wrong.
    pub fn check_answer(&mut self, request: &Request, now: Timestamp, answer: &Answer) -> Result<Verdict, String> {
        let new_id = match &answer.outcome {
            Outcome::Changed { order, .. } => Some(order.order_id),
            Outcome::Found(_) | Outcome::Operated(_) | Outcome::Refused(_) => None,
        };
        let new_id = new_id.or_else(|| match request {
            // Refused for want of room, it would have got an id that nobody has.
            Request::Change(ChangeRequest { command: Command::Place { order_id: None, .. }, .. }) => {
                Some(OrderId::new(uuid::Uuid::from_u128(u128::MAX)))
            }
            _ => None,
        });
        let expected = self.expect(request, now, new_id);
        for possible in &expected {
            if let Some(verdict) = self.fits(possible, &answer.outcome) {
                if let (Expected::Change(plan), Verdict::Changed) = (possible, verdict) {
                    self.apply((**plan).clone());
                }
                return Ok(verdict);
            }
        }
        Err(format!("{request:?} was answered {:?}; expected {expected:?}", answer.outcome))
    }

    fn fits(&self, expected: &Expected, outcome: &Outcome) -> Option<Verdict> {
        match (expected, outcome) {
            (Expected::Change(plan), Outcome::Changed { order, lsn, duplicate: false }) => {
                (plan.after == *order && *lsn == plan.lsn).then_some(Verdict::Changed)
            }
            (Expected::Change(_), Outcome::Refused(Refusal::StorageFull)) => Some(Verdict::Full),
            (Expected::Duplicate(index), Outcome::Changed { order, lsn, duplicate: true }) => {
                let same = self.plans[*index].after == *order && *lsn == self.plans[*index].lsn;
                same.then_some(Verdict::Duplicate(*index))
            }
            (Expected::Refused(refusal), Outcome::Refused(given)) if refusal == given => Some(Verdict::Refused),
            (Expected::Found(order), Outcome::Found(given)) if order == given => Some(Verdict::Shown),
            _ => None,
        }
    }
}

/// What an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A plan.
    Changed,
    /// The plan of this index, again.
    Duplicate(usize),
    /// A refusal that is right.
    Refused,
    /// A refusal for want of room.
    Full,
    /// An order or the status, as it is.
    Shown,
}

fn refuse_transition(before: &OrderState, to: OrderStatus) -> Expected {
    let error = orderd::domain::TransitionError { order_id: before.order_id, from: before.status, to };
    Expected::Refused(Refusal::InvalidTransition(error))
}

fn not_found(order_id: OrderId) -> Expected {
    Expected::Refused(Refusal::OrderNotFound(orderd::contracts::OrderNotFound(order_id)))
}
