//! What clients ask for, after parsing and before deciding.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OperatorRequest;
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, EventContext, OrderId};

/// A change of an order that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
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
}

/// What the executor is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Change an order.
    Change(ChangeRequest),
    /// Show an order.
    Get {
        /// Which one.
        order_id: OrderId,
    },
    /// What operators ask for; boxed because it is rare and large.
    Operate(Box<OperatorRequest>),
}

/// A command with what came beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRequest {
    /// The change.
    pub command: Command,
    /// The client's idempotency key.
    pub command_id: Option<CommandId>,
    /// Metadata and trace context of the event that the command raises; boxed because few commands have any.
    pub context: Option<Box<EventContext>>,
}

/// Tells commands of the same id but other content apart: a version 5 UUID (SHA-1, cut to 122 bits) of method, params
/// and metadata in a fixed layout, so that spelling, key order and white space do not matter. Trace context is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Uuid);

impl Fingerprint {
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f72_6465_7264_5f63_8f6d_6d61_6e64_0001);
}

impl Request {
    /// A change without metadata and trace context.
    #[must_use]
    pub const fn change(command: Command, command_id: Option<CommandId>) -> Self {
        Self::Change(ChangeRequest { command, command_id, context: None })
    }

    /// The client's idempotency key, if there is one.
    #[must_use]
    pub const fn command_id(&self) -> Option<CommandId> {
        match self {
            Self::Change(change) => change.command_id,
            Self::Get { .. } | Self::Operate(_) => None,
        }
    }

    /// The order that is asked for, if its id is known already.
    #[must_use]
    pub fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Change(change) => change.command.order_id(),
            Self::Get { order_id } => Some(*order_id),
            Self::Operate(_) => None,
        }
    }
}

impl ChangeRequest {
    /// The fingerprint of the method, its params and the metadata.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut content = Vec::with_capacity(64);
        self.command.write_content(&mut content);
        if let Some(metadata) = self.context.as_ref().and_then(|context| context.metadata.as_ref()) {
            content.push(b'm');
            content.extend_from_slice(metadata.as_bytes());
        }
        Fingerprint(Uuid::new_v5(&Fingerprint::NAMESPACE, &content))
    }
}

impl Command {
    /// The order that is changed, if its id is known already.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Place { order_id, .. } => *order_id,
            Self::Complete { order_id } | Self::Cancel { order_id, .. } => Some(*order_id),
        }
    }

    /// Method and params in a layout of their own; texts are preceded by their length, so that no two contents meet.
    fn write_content(&self, content: &mut Vec<u8>) {
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
                let reason = reason.as_ref().map_or("", |reason| reason.as_str());
                content.extend_from_slice(&(reason.len() as u64).to_be_bytes());
                content.extend_from_slice(reason.as_bytes());
            }
        }
    }
}
