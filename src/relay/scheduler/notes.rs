//! What has happened to events, for whoever shows or measures it.

use std::sync::Arc;
use std::time::Duration;

use super::StreamId;
use crate::contracts::{FailureOutcome, Sequence};
use crate::domain::OrderId;

/// An attempt that did not deliver, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureNote {
    /// The event and its order; `None` where the target as a whole failed.
    pub event: Option<(Sequence, OrderId)>,
    /// Which attempt it was; 0 where the target as a whole failed.
    pub attempt: u32,
    /// How it failed.
    pub outcome: FailureOutcome,
    /// Why.
    pub reason: Arc<str>,
}

/// An event that the program took, for whoever measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryNote {
    /// Where it came from.
    pub stream: StreamId,
    /// Its order.
    pub order_id: OrderId,
    /// Its number.
    pub sequence: Sequence,
    /// How long the program had it.
    pub took: Duration,
}
