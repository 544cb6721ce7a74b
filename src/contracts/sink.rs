//! Where events go.

use std::io;

use uuid::Uuid;

use super::Sequence;

/// Takes events in, at least once, in order.
pub trait Sink: Send {
    /// Sees to it that the target is open, and that it is what it was. Called before each delivery, and once at the start,
    /// so that a target that cannot be opened shows at once. `saved` is the mark that was saved last.
    ///
    /// # Errors
    /// There is no target at present.
    fn open(&mut self, saved: TargetMark) -> Result<Opened, SinkError> {
        Ok(Opened::Ready(saved))
    }

    /// How many of these events the target holds already, from its saved mark on. Only asked after
    /// [`Opened::Resumed`], for events that come after what was saved, batch by batch, until one is not held whole;
    /// the target then ends where the next delivery belongs.
    ///
    /// # Errors
    /// The target cannot be read.
    fn held(&mut self, _delivery: &Delivery<'_>) -> Result<Held, SinkError> {
        Ok(Held::default())
    }

    /// Delivers a batch.
    ///
    /// On an error nothing, a part or all may have been delivered; the relay offers the same bytes again later. A sink
    /// MUST leave no half-written event behind that a later delivery would follow.
    ///
    /// # Errors
    /// The batch is not known to be delivered.
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError>;

    /// Takes responsibility for every event that was delivered: a file has them synced on return. The relay then moves
    /// its cursor, saves the mark with it, and never offers them again.
    ///
    /// # Errors
    /// What was delivered since the last success is not known to be there; the relay goes back to its cursor.
    fn sync(&mut self) -> Result<TargetMark, SinkError> {
        Ok(TargetMark::default())
    }

    /// Whether a delivery alone takes responsibility, and [`Sink::sync`] has nothing to do.
    fn acknowledges_deliveries(&self) -> bool {
        true
    }

    /// The target of a replay, beside this one and not opened yet; `None` where replays have none.
    fn of_replay(&self, _replay_id: Uuid) -> Option<Box<dyn Sink>> {
        None
    }

    /// Closes the target, so that the next [`Sink::open`] opens it by its name (SIGHUP, after a log rotation).
    fn reopen(&mut self);
}

/// How much of a target is synced, and which target that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetMark {
    /// Bytes.
    pub len: u64,
    /// A file's number on its file system; zero for no file.
    pub inode: u64,
    /// The file system.
    pub device: u64,
}

/// What [`Sink::open`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is the target that it was, and ends where it was left.
    Ready(TargetMark),
    /// It was opened now, is the target of the saved mark, and may hold more than that says.
    Resumed(TargetMark),
    /// It is another target, and has nothing of what is not acknowledged: the mark is to be saved before anything is
    /// delivered.
    Changed(TargetMark),
    /// Somebody else has cut it: the mark is to be saved before anything is delivered.
    Cut {
        /// Where it ends now.
        mark: TargetMark,
        /// The last event that is left; none if it was emptied, as some log rotations do.
        last: Option<EventPlace>,
    },
}

/// Which event of which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    /// The store's epoch when it was stored.
    pub epoch: u32,
    /// Its number.
    pub sequence: Sequence,
}

/// What a target holds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Events from the first on.
    pub events: usize,
    /// Their bytes.
    pub bytes: usize,
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
    /// The operation that failed, as a verb.
    pub operation: &'static str,
    /// On what: a path, or a name.
    pub target: String,
    /// Whether the target can never come back: then the daemon ends, so that whoever started it starts it again.
    pub is_final: bool,
    /// The underlying error.
    pub source: io::Error,
}
