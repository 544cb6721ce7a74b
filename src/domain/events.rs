//! The facts that an order announces, in the past tense, each with all that a consumer needs.

use serde::{Deserialize, Serialize};

use super::{CancelReason, Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// An order came into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total_amount: Cents,
    /// When it happened.
    pub placed_at: Timestamp,
}

/// An order was completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCompleted {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total_amount: Cents,
    /// When it happened.
    pub completed_at: Timestamp,
}

/// An order was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total_amount: Cents,
    /// When it happened.
    pub cancelled_at: Timestamp,
    /// What it was before: a consumer that has paid out a completed order must take the money back.
    pub cancelled_from: OrderStatus,
    /// Why, if the client said so.
    pub reason: Option<CancelReason>,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// See [`OrderPlaced`].
    Placed(OrderPlaced),
    /// See [`OrderCompleted`].
    Completed(OrderCompleted),
    /// See [`OrderCancelled`].
    Cancelled(OrderCancelled),
    /// The whole order, as a new sink may start with it. No order raises it, and the outbox never holds it.
    Snapshot(OrderState),
}

impl OrderEvent {
    /// Its name on the wire.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Placed(_) => "OrderPlaced",
            Self::Completed(_) => "OrderCompleted",
            Self::Cancelled(_) => "OrderCancelled",
            Self::Snapshot(_) => "OrderSnapshot",
        }
    }

    /// The order that it is about.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::Placed(event) => event.order_id,
            Self::Completed(event) => event.order_id,
            Self::Cancelled(event) => event.order_id,
            Self::Snapshot(order) => order.order_id,
        }
    }

    /// Whose order that is.
    #[must_use]
    pub const fn customer_id(&self) -> CustomerId {
        match self {
            Self::Placed(event) => event.customer_id,
            Self::Completed(event) => event.customer_id,
            Self::Cancelled(event) => event.customer_id,
            Self::Snapshot(order) => order.customer_id,
        }
    }

    /// What that order costs.
    #[must_use]
    pub const fn total_amount(&self) -> Cents {
        match self {
            Self::Placed(event) => event.total_amount,
            Self::Completed(event) => event.total_amount,
            Self::Cancelled(event) => event.total_amount,
            Self::Snapshot(order) => order.total_amount,
        }
    }

    /// When it happened, which is neither when it was stored nor when it was sent; of a snapshot, the order's last change.
    #[must_use]
    pub const fn occurred_at(&self) -> Timestamp {
        match self {
            Self::Placed(event) => event.placed_at,
            Self::Completed(event) => event.completed_at,
            Self::Cancelled(event) => event.cancelled_at,
            Self::Snapshot(order) => order.last_changed_at(),
        }
    }
}
