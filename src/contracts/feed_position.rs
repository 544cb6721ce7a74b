//! Where a reader of the outbox stands.

use super::Sequence;

/// How many bytes a feed has for what only it understands.
pub const FEED_PLACE_BYTES: usize = 28;

/// A place in the outbox: after the event with this sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedPosition {
    /// The event.
    pub sequence: Sequence,
    /// The store's epoch when that event was stored; zero if it was not read. With the sequence it is found out if a
    /// restored store goes on with other events under the same numbers.
    pub epoch: u32,
    /// What the feed that gave the position finds it again by.
    pub place: FeedPlace,
}

impl FeedPosition {
    /// Before the first event.
    pub const START: Self = Self { sequence: Sequence::ZERO, epoch: 0, place: FeedPlace([0; FEED_PLACE_BYTES]) };
}

/// Bytes that only the feed understands; whoever keeps a position keeps them as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedPlace(pub [u8; FEED_PLACE_BYTES]);
