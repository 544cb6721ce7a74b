//! Names a feed.

use uuid::Uuid;

/// Which feed an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamId {
    /// What the sink gets anyway: the live events and, before them, a snapshot.
    Live,
    /// A replay.
    Replay(Uuid),
}
