//! Where events go.

use std::io;

use super::Sequence;

/// Takes events in, at least once, in order.
pub trait Sink: Send {
    /// Delivers a batch. On return with `Ok` the sink has taken responsibility for every event of it: a file has them
    /// synced. The relay then moves its cursor, and never offers them again.
    ///
    /// On an error nothing, a part or all may have been delivered; the relay offers the same bytes again later. A sink
    /// MUST leave no half-written event behind that a later delivery would follow.
    ///
    /// # Errors
    /// The batch is not known to be delivered.
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError>;

    /// Opens the target again (SIGHUP, after a log rotation); failures show at the next delivery.
    fn reopen(&mut self);
}

/// A batch of rendered events.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// One event a line, each ended by `\n`.
    pub lines: &'a [u8],
    /// How many there are; at least one.
    pub events: usize,
    /// The first one's number.
    pub first: Sequence,
    /// The last one's number.
    pub last: Sequence,
}

/// Why a batch was not delivered.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {target}: {source}")]
pub struct SinkError {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// On what: a path, or a name.
    pub target: String,
    /// The underlying error.
    pub source: io::Error,
}
