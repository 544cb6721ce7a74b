//! The repository: aggregates out, mutations in; and the plan that holds all mutations of one command.

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use crate::domain::{
    Cents, CommandId, CustomerId, EventId, Field, Order, OrderEvent, OrderId, OrderState, OrderStatus, RaisedEvent,
    Timestamp,
};

/// Hands out aggregates and says which mutations would store them. It writes nothing by itself.
pub trait OrderRepository {
    /// Builds the aggregate from what is stored.
    ///
    /// # Errors
    /// No order has this id.
    fn retrieve(&self, order_id: OrderId) -> Result<Order, OrderNotFound>;

    /// The mutation that stores the order's changed fields and only those; none if nothing changed.
    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        Mutation::of_changes(order)
    }

    /// One outbox entry for each event that the order raised, oldest first.
    fn outbox_muts(&self, order: &Order) -> Vec<Mutation> {
        order.events().events().iter().map(|raised| Mutation::InsertOutbox(OutboxEntry::from(raised))).collect()
    }
}

/// No order has this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no order {0}")]
pub struct OrderNotFound(pub OrderId);

/// All mutations of one command: applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    mutations: Vec<Mutation>,
}

impl Plan {
    /// The order's own mutation and its outbox entries, collected from the repository.
    pub fn for_order(repository: &impl OrderRepository, order: &Order) -> Self {
        let mut mutations = Vec::with_capacity(3);
        mutations.extend(repository.update_mut(order));
        mutations.extend(repository.outbox_muts(order));
        Self { mutations }
    }

    /// Adds the memory of the command itself, so that sending it again changes nothing.
    pub fn remember(&mut self, command: ProcessedCommand) {
        self.mutations.push(Mutation::InsertCommand(command));
    }

    /// In the order in which they are applied.
    #[must_use]
    pub fn mutations(&self) -> &[Mutation] {
        &self.mutations
    }

    /// The outbox entries among them, in order.
    pub fn outbox_entries(&self) -> impl Iterator<Item = &OutboxEntry> {
        self.mutations.iter().filter_map(|mutation| match mutation {
            Mutation::InsertOutbox(entry) => Some(entry),
            Mutation::InsertOrder(_) | Mutation::UpdateOrder(_) | Mutation::InsertCommand(_) => None,
        })
    }
}

/// One change of one stored thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutation {
    /// A new order.
    InsertOrder(OrderState),
    /// Changed fields of an order.
    UpdateOrder(OrderUpdate),
    /// A new outbox entry.
    InsertOutbox(OutboxEntry),
    /// A command that must not be executed twice.
    InsertCommand(ProcessedCommand),
}

/// The fields of an order that changed; the others are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The order.
    pub order_id: OrderId,
    /// The version after the change; it applies to the version before and to no other.
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

impl Mutation {
    fn of_changes(order: &Order) -> Option<Self> {
        let (state, changes) = (order.state(), order.changes());
        if !changes.any() {
            return None;
        }
        if changes.is_changed(Field::PlacedAt) {
            return Some(Self::InsertOrder(*state));
        }
        Some(Self::UpdateOrder(OrderUpdate {
            order_id: state.order_id,
            version: state.version,
            customer_id: changes.is_changed(Field::CustomerId).then_some(state.customer_id),
            total_amount: changes.is_changed(Field::TotalAmount).then_some(state.total_amount),
            status: changes.is_changed(Field::Status).then_some(state.status),
            completed_at: state.completed_at.filter(|_| changes.is_changed(Field::CompletedAt)),
            cancelled_at: state.cancelled_at.filter(|_| changes.is_changed(Field::CancelledAt)),
        }))
    }
}

impl OrderUpdate {
    /// The order's facts after this update; `None` if `before` is not the version that the update was made for.
    #[must_use]
    pub fn applied_to(&self, before: &OrderState) -> Option<OrderState> {
        if before.order_id != self.order_id || before.version.checked_add(1) != Some(self.version) {
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

/// An event that waits to be announced. It has no time and no id of its own: both are the event's, so that building
/// the plan again gives the same entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// The event's identity.
    pub id: EventId,
    /// The order's version after the change.
    pub order_version: u32,
    /// What happened.
    pub event: OrderEvent,
}

impl From<&RaisedEvent> for OutboxEntry {
    fn from(raised: &RaisedEvent) -> Self {
        Self { id: raised.id, order_version: raised.order_version, event: raised.event.clone() }
    }
}

/// A command's id with what tells its content from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessedCommand {
    /// The client's key.
    pub command_id: CommandId,
    /// Of its method and params.
    pub fingerprint: Fingerprint,
}
