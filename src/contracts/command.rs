//! What clients ask for, after parsing and before deciding.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{CancelReason, Cents, CommandId, CustomerId, OrderId};

/// One request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Place an order; without an id it gets a new one.
    Place {
        /// The order's id, if the client chose one.
        order_id: Option<OrderId>,
        /// Whose it is.
        customer_id: CustomerId,
        /// What it costs.
        total_amount: Cents,
    },
    /// Complete an order.
    Complete {
        /// Which one.
        order_id: OrderId,
    },
    /// Cancel an order.
    Cancel {
        /// Which one.
        order_id: OrderId,
        /// Why.
        reason: Option<CancelReason>,
    },
    /// Show an order.
    Get {
        /// Which one.
        order_id: OrderId,
    },
    /// Show how the daemon is.
    Status,
}

/// A request, with the key that makes it safe to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is asked for.
    pub request: Request,
    /// The client's idempotency key; only for requests that change something.
    pub command_id: Option<CommandId>,
}

/// Tells commands of the same id but other content apart: a version 5 UUID (SHA-1, cut to 122 bits) of method and
/// params in a fixed layout, so that spelling, key order and white space do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Uuid);

impl Fingerprint {
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f72_6465_7264_5f63_8f6d_6d61_6e64_0001);
}

impl Request {
    /// The order that is asked for, if its id is known already.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Place { order_id, .. } => *order_id,
            Self::Complete { order_id } | Self::Cancel { order_id, .. } | Self::Get { order_id } => Some(*order_id),
            Self::Status => None,
        }
    }

    /// The fingerprint of the method and its params.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut content = Vec::with_capacity(64);
        match self {
            Self::Place { order_id, customer_id, total_amount } => {
                content.push(if order_id.is_some() { b'P' } else { b'p' });
                content.extend_from_slice(customer_id.as_bytes());
                content.extend_from_slice(&total_amount.get().to_be_bytes());
                content.extend_from_slice(order_id.as_ref().map_or(&[][..], |id| id.as_bytes()));
            }
            Self::Complete { order_id } => {
                content.push(b'C');
                content.extend_from_slice(order_id.as_bytes());
            }
            Self::Cancel { order_id, reason } => {
                content.push(if reason.is_some() { b'X' } else { b'x' });
                content.extend_from_slice(order_id.as_bytes());
                content.extend_from_slice(reason.as_ref().map_or("", |reason| reason.as_str()).as_bytes());
            }
            Self::Get { order_id } => {
                content.push(b'G');
                content.extend_from_slice(order_id.as_bytes());
            }
            Self::Status => content.push(b'S'),
        }
        Fingerprint(Uuid::new_v5(&Fingerprint::NAMESPACE, &content))
    }
}
