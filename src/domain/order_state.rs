//! The facts of an order, without behaviour: what is stored, answered and rehydrated from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cents, CustomerId, OrderId, Timestamp};

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Waiting to be completed or cancelled.
    Placed,
    /// Done; may still be cancelled.
    Completed,
    /// Final.
    Cancelled,
}

impl OrderStatus {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The facts of an order at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// Its name.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total_amount: Cents,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// Starts at 1; each change adds 1.
    pub version: u32,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was completed, if it was.
    pub completed_at: Option<Timestamp>,
    /// When it was cancelled, if it was.
    pub cancelled_at: Option<Timestamp>,
}

impl OrderState {
    /// The time of the last change.
    #[must_use]
    pub const fn last_changed_at(&self) -> Timestamp {
        match (self.cancelled_at, self.completed_at) {
            (Some(at), _) | (None, Some(at)) => at,
            (None, None) => self.placed_at,
        }
    }

    /// The order as it was at an earlier `version`.
    ///
    /// An order only gains facts and passes through each status at most once, so its past can be told from its
    /// present: the answer to a command that is sent again need not be stored.
    #[must_use]
    pub fn as_of(&self, version: u32) -> Self {
        if version >= self.version {
            return *self;
        }
        let placed = Self { status: OrderStatus::Placed, version: 1, completed_at: None, cancelled_at: None, ..*self };
        match (version, self.completed_at) {
            (2, Some(_)) => {
                Self { status: OrderStatus::Completed, version: 2, completed_at: self.completed_at, ..placed }
            }
            (_, Some(_) | None) => placed,
        }
    }
}
