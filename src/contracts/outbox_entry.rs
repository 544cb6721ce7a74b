//! An event on its way out: as a plan carries it, and as the outbox keeps it.

use std::sync::Arc;

use super::Sequence;
use crate::domain::{EventContext, EventId, OrderEvent};

/// An event that waits to be announced. It has no time and no id of its own: both are the event's, so that building
/// the plan again gives the same entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The event's identity.
    pub id: EventId,
    /// The order's version after the change.
    pub order_version: u32,
    /// What happened.
    pub event: OrderEvent,
    /// What came beside the command; boxed because few commands have any.
    pub context: Option<Box<EventContext>>,
}

/// An outbox entry with what it got when it was stored: together they determine every byte that a sink sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its number in the outbox.
    pub sequence: Sequence,
    /// The event.
    pub entry: OutboxEntry,
    /// `daemon.event_source` as it was when the event was stored.
    pub source: Arc<str>,
    /// The store's epoch when the event was stored: `storeepoch`, from 1.
    pub epoch: u32,
}
