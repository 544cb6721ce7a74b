//! The repository: aggregates out, mutations in; and the plan that holds all mutations of one command.

use std::sync::Arc;

use super::{Decision, Fingerprint, OutboxEntry};
use crate::domain::{Cents, CommandId, CustomerId, EventContext, Order, OrderId, OrderState, OrderStatus, Timestamp};

/// Hands out aggregates and says which mutations would store them. It writes nothing by itself.
pub trait OrderRepository {
    /// Builds the aggregate from what is stored.
    ///
    /// # Errors
    /// No order has this id, or it is not known now whether one has.
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError>;

    /// The mutation that stores the order's changed fields and only those; none if nothing changed.
    fn update_mut(&self, order: &Order) -> Option<Mutation>;

    /// One outbox entry for each event that the order raised, oldest first. The order gives its events up for it.
    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation>;
}

/// No order has this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no order {0}")]
pub struct OrderNotFound(pub OrderId);

/// What is stored cannot be read now. The store tells the log why, and goes on trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store does not answer; send it again later")]
pub struct StoreUnavailable;

/// Why there is no aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetrieveError {
    /// No order has this id.
    #[error(transparent)]
    NotFound(#[from] OrderNotFound),
    /// It cannot be read now.
    #[error(transparent)]
    Unavailable(#[from] StoreUnavailable),
}

/// All mutations of one command, or one decision about delivery: applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    mutations: Vec<Mutation>,
}

impl Plan {
    /// The order's own mutation and its outbox entries, collected from the repository.
    pub fn for_order(repository: &impl OrderRepository, order: &mut Order) -> Self {
        let mut mutations = Vec::with_capacity(3);
        mutations.extend(repository.update_mut(order));
        mutations.extend(repository.outbox_muts(order));
        Self { mutations }
    }

    /// A plan for each decision, in their order: each of them has a place of its own in the journal.
    pub fn of_decisions(decisions: impl IntoIterator<Item = Decision>) -> Vec<Self> {
        let plan = |decision| Self { mutations: vec![Mutation::Decide(Arc::new(decision))] };
        decisions.into_iter().map(plan).collect()
    }

    /// Adds the memory of the command itself, so that sending it again changes nothing.
    pub fn remember(&mut self, command: ProcessedCommand) {
        self.mutations.push(Mutation::InsertCommand(command));
    }

    /// Gives the events of the plan what came beside the command that raised them.
    pub fn attach(&mut self, context: Option<&EventContext>) {
        let Some(context) = context else { return };
        for mutation in &mut self.mutations {
            match mutation {
                Mutation::InsertOutbox(entry) => entry.context = Some(Box::new(context.clone())),
                Mutation::InsertOrder(_)
                | Mutation::UpdateOrder(_)
                | Mutation::InsertCommand(_)
                | Mutation::Decide(_) => {}
            }
        }
    }

    /// In the order in which they are applied.
    #[must_use]
    pub fn mutations(&self) -> &[Mutation] {
        &self.mutations
    }

    /// The outbox entries among them, in order.
    pub fn outbox_entries(&self) -> impl Iterator<Item = &OutboxEntry> {
        self.mutations.iter().filter_map(Mutation::outbox_entry)
    }
}

/// One change of one stored thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// A new order.
    InsertOrder(OrderState),
    /// Changed fields of an order.
    UpdateOrder(OrderUpdate),
    /// A new outbox entry.
    InsertOutbox(OutboxEntry),
    /// A command that must not be executed twice.
    InsertCommand(ProcessedCommand),
    /// A decision about delivery; shared with the worker that acts on it.
    Decide(Arc<Decision>),
}

impl Mutation {
    /// The order that is changed.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::InsertOrder(state) => Some(state.order_id),
            Self::UpdateOrder(update) => Some(update.order_id),
            Self::InsertOutbox(_) | Self::InsertCommand(_) | Self::Decide(_) => None,
        }
    }

    /// The entry, if it is one.
    #[must_use]
    pub const fn outbox_entry(&self) -> Option<&OutboxEntry> {
        match self {
            Self::InsertOutbox(entry) => Some(entry),
            Self::InsertOrder(_) | Self::UpdateOrder(_) | Self::InsertCommand(_) | Self::Decide(_) => None,
        }
    }

    /// The decision, if it is one.
    #[must_use]
    pub const fn decision(&self) -> Option<&Arc<Decision>> {
        match self {
            Self::Decide(decision) => Some(decision),
            Self::InsertOrder(_) | Self::UpdateOrder(_) | Self::InsertOutbox(_) | Self::InsertCommand(_) => None,
        }
    }
}

/// The fields of an order that changed; the others are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The order.
    pub order_id: OrderId,
    /// The version that the change was made from; it applies to this one and to no other.
    pub from_version: u32,
    /// The version after the change: one more for each verb.
    pub version: u32,
    /// The new owner.
    pub customer_id: Option<CustomerId>,
    /// The new amount.
    pub total_amount: Option<Cents>,
    /// The new status.
    pub status: Option<OrderStatus>,
    /// The new time of completion.
    pub completed_at: Option<Timestamp>,
    /// The new time of cancellation.
    pub cancelled_at: Option<Timestamp>,
}

impl OrderUpdate {
    /// The order's facts after this update; `None` if `before` is not the version that the update was made from.
    #[must_use]
    pub fn applied_to(&self, before: &OrderState) -> Option<OrderState> {
        let fits = before.order_id == self.order_id && before.version == self.from_version;
        if !fits || self.version <= self.from_version {
            return None;
        }
        Some(OrderState {
            order_id: self.order_id,
            version: self.version,
            customer_id: self.customer_id.unwrap_or(before.customer_id),
            total_amount: self.total_amount.unwrap_or(before.total_amount),
            status: self.status.unwrap_or(before.status),
            placed_at: before.placed_at,
            completed_at: self.completed_at.or(before.completed_at),
            cancelled_at: self.cancelled_at.or(before.cancelled_at),
        })
    }
}

/// A command's id with what tells its content from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessedCommand {
    /// The client's key.
    pub command_id: CommandId,
    /// Of its method and params.
    pub fingerprint: Fingerprint,
}
