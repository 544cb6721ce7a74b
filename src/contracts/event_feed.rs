//! The outbox as the relay reads it: durable events, in order, from a position.

use serde::{Deserialize, Serialize};

use super::{Lsn, OutboxEntry, Sequence};

/// Reads durable events forward.
pub trait EventFeed: Send {
    /// Appends the next events to `batch`, at most `events_max`; none if there is nothing durable that was not read.
    /// Its cost does not grow with what lies behind or ahead.
    ///
    /// # Errors
    /// The journal cannot be read, or holds something else than what was written.
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError>;

    /// Where the last event that was read stands; persisted as the cursor once its delivery is acknowledged.
    fn position(&self) -> FeedPosition;

    /// The last event that is durable.
    fn durable_sequence(&self) -> Sequence;
}

/// An outbox entry with what it got when it was stored: together they determine every byte that a sink sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its number in the outbox.
    pub sequence: Sequence,
    /// The event.
    pub entry: OutboxEntry,
    /// `daemon.event_source` as it was when the event was stored.
    pub source: std::sync::Arc<str>,
}

/// A place in the outbox: after the event with this sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPosition {
    /// The event.
    pub sequence: Sequence,
    /// The plan that holds it.
    pub lsn: Lsn,
    /// The checksum of that plan: a cursor that stands in another history is found out.
    pub body_crc: u32,
    /// A hint: the first LSN of the segment that holds the plan.
    pub segment: Lsn,
    /// A hint: the plan's byte offset in that segment.
    pub offset: u64,
}

impl FeedPosition {
    /// Before the first event.
    pub const START: Self =
        Self { sequence: Sequence::ZERO, lsn: Lsn::ZERO, body_crc: 0, segment: Lsn::ZERO, offset: 0 };
}

/// Why the outbox cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The bytes cannot be had.
    #[error("reading the outbox: {0}")]
    Io(#[from] std::io::Error),
}
