//! The outbox as the relay and operators read it: durable events, in order, from a position.

use super::{Decision, FeedPosition, Lsn, PublishedEvent, Sequence};
use crate::domain::{OrderId, Timestamp};

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

    /// The sequence that every event of it carries, where they are not numbered one by one: of a snapshot, the one that
    /// it is as of. Its position then has rows in place of a sequence.
    fn carried(&self) -> Option<Sequence> {
        None
    }
}

/// Looks into the past that the store still holds. It reads the disk, and may be used from any thread: what it shows is
/// durable.
pub trait EventHistory: Send + Sync {
    /// The first event that is still held; the one after the last if none is.
    ///
    /// # Errors
    /// See [`FeedError`].
    fn oldest_sequence(&self) -> Result<Sequence, FeedError>;

    /// The last durable event.
    fn last_sequence(&self) -> Sequence;

    /// A feed whose next event is the one after `after`; its cost does not grow with what is held.
    ///
    /// # Errors
    /// See [`FeedError`]; [`FeedError::NotHeld`] if that event is not held any more.
    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError>;

    /// A feed that goes on after a position that one of its feeds has given before.
    ///
    /// # Errors
    /// See [`FeedError`]; [`FeedError::Damaged`] if the position is from another history.
    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError>;

    /// The first held event that happened at `time` or later. Events are searched as if they were in the order of their
    /// times, which a clock that was set back breaks.
    ///
    /// # Errors
    /// See [`FeedError`].
    fn first_at_or_after(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError>;

    /// The last held event that happened at `time` or before; found as [`EventHistory::first_at_or_after`] does.
    ///
    /// # Errors
    /// See [`FeedError`].
    fn last_at_or_before(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError>;

    /// Events of one order, newest plan first in the reading, oldest first in the result: from the plan `last_lsn` back
    /// through the plans before it of the same order.
    ///
    /// # Errors
    /// See [`FeedError`].
    fn order_events(&self, order_id: OrderId, last_lsn: Lsn) -> Result<OrderEvents, FeedError>;

    /// At most `limit` delivery decisions of plans after `after`, looking at no more than `plans_max` plans, with the
    /// place to go on from.
    ///
    /// # Errors
    /// See [`FeedError`].
    fn decisions(&self, after: Lsn, limit: usize, plans_max: usize) -> Result<DecisionPage, FeedError>;
}

/// The events of one order that are held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderEvents {
    /// Oldest first.
    pub events: Vec<PublishedEvent>,
    /// Whether these are all events that the order ever raised.
    pub complete: bool,
}

/// A part of the delivery decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionPage {
    /// With the plans that hold them, oldest first.
    pub decisions: Vec<(Lsn, Decision)>,
    /// Everything up to here was looked at.
    pub looked_to: Lsn,
    /// Whether that is the end of what is durable.
    pub at_end: bool,
}

/// Why the outbox cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The position that it is to go on from is not of this journal: it is of another store, or of another history.
    #[error("{0}")]
    OtherHistory(String),
    /// What is asked for has left the journal.
    #[error("event {wanted} is not held any more; the oldest sequence held is {oldest}")]
    NotHeld {
        /// What was asked for.
        wanted: Sequence,
        /// The oldest there is.
        oldest: Sequence,
    },
    /// The bytes cannot be had.
    #[error("reading the outbox: {0}")]
    Io(#[from] std::io::Error),
}
