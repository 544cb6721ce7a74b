//! Orders and their updates as they are stored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OutOfRange;
use crate::contracts::OrderUpdate;
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// An order.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::repo) struct StoredOrder {
    order_id: Uuid,
    customer_id: Uuid,
    total_amount: u64,
    status: StoredStatus,
    version: u32,
    placed_at: i64,
    completed_at: Option<i64>,
    cancelled_at: Option<i64>,
}

/// When an order was placed and completed, as of before a plan that changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTimes {
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was completed, if it was.
    pub completed_at: Option<Timestamp>,
}

impl From<&OrderState> for OrderTimes {
    fn from(order: &OrderState) -> Self {
        Self { placed_at: order.placed_at, completed_at: order.completed_at }
    }
}

/// The same as it is stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredTimes {
    placed_at: i64,
    completed_at: Option<i64>,
}

/// An order's status.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::repo) enum StoredStatus {
    Placed,
    Completed,
    Cancelled,
}

/// The fields of an order that changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::repo) struct StoredUpdate {
    order_id: Uuid,
    from_version: u32,
    version: u32,
    customer_id: Option<Uuid>,
    total_amount: Option<u64>,
    status: Option<StoredStatus>,
    completed_at: Option<i64>,
    cancelled_at: Option<i64>,
}

impl From<OrderStatus> for StoredStatus {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Placed => Self::Placed,
            OrderStatus::Completed => Self::Completed,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StoredStatus> for OrderStatus {
    fn from(status: StoredStatus) -> Self {
        match status {
            StoredStatus::Placed => Self::Placed,
            StoredStatus::Completed => Self::Completed,
            StoredStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<&OrderState> for StoredOrder {
    fn from(order: &OrderState) -> Self {
        Self {
            order_id: order.order_id.uuid(),
            customer_id: order.customer_id.uuid(),
            total_amount: order.total_amount.get(),
            status: order.status.into(),
            version: order.version,
            placed_at: order.placed_at.micros(),
            completed_at: order.completed_at.map(Timestamp::micros),
            cancelled_at: order.cancelled_at.map(Timestamp::micros),
        }
    }
}

impl TryFrom<StoredOrder> for OrderState {
    type Error = OutOfRange;

    fn try_from(stored: StoredOrder) -> Result<Self, OutOfRange> {
        Ok(Self {
            order_id: OrderId::new(stored.order_id),
            customer_id: CustomerId::new(stored.customer_id),
            total_amount: cents(stored.total_amount)?,
            status: stored.status.into(),
            version: stored.version,
            placed_at: timestamp(stored.placed_at)?,
            completed_at: stored.completed_at.map(timestamp).transpose()?,
            cancelled_at: stored.cancelled_at.map(timestamp).transpose()?,
        })
    }
}

impl From<&OrderUpdate> for StoredUpdate {
    fn from(update: &OrderUpdate) -> Self {
        Self {
            order_id: update.order_id.uuid(),
            from_version: update.from_version,
            version: update.version,
            customer_id: update.customer_id.as_ref().map(CustomerId::uuid),
            total_amount: update.total_amount.map(Cents::get),
            status: update.status.map(StoredStatus::from),
            completed_at: update.completed_at.map(Timestamp::micros),
            cancelled_at: update.cancelled_at.map(Timestamp::micros),
        }
    }
}

impl TryFrom<StoredUpdate> for OrderUpdate {
    type Error = OutOfRange;

    fn try_from(stored: StoredUpdate) -> Result<Self, OutOfRange> {
        Ok(Self {
            order_id: OrderId::new(stored.order_id),
            from_version: stored.from_version,
            version: stored.version,
            customer_id: stored.customer_id.map(CustomerId::new),
            total_amount: stored.total_amount.map(cents).transpose()?,
            status: stored.status.map(OrderStatus::from),
            completed_at: stored.completed_at.map(timestamp).transpose()?,
            cancelled_at: stored.cancelled_at.map(timestamp).transpose()?,
        })
    }
}

impl From<OrderTimes> for StoredTimes {
    fn from(times: OrderTimes) -> Self {
        Self { placed_at: times.placed_at.micros(), completed_at: times.completed_at.map(Timestamp::micros) }
    }
}

impl TryFrom<StoredTimes> for OrderTimes {
    type Error = OutOfRange;

    fn try_from(stored: StoredTimes) -> Result<Self, OutOfRange> {
        let completed_at = stored.completed_at.map(timestamp).transpose()?;
        Ok(Self { placed_at: timestamp(stored.placed_at)?, completed_at })
    }
}

/// A time, checked.
pub(in crate::repo) fn timestamp(micros: i64) -> Result<Timestamp, OutOfRange> {
    Timestamp::from_micros(micros).map_err(|_| OutOfRange("time"))
}

/// An amount, checked.
pub(super) fn cents(cents: u64) -> Result<Cents, OutOfRange> {
    Cents::new(cents).map_err(|_| OutOfRange("amount"))
}
