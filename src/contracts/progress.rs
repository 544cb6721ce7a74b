//! How far a sink is, kept where its events are kept.

use std::time::Duration;

use super::{FeedError, FeedPosition, ReplaySpec, TargetMark, WindowBits};

/// The saved progress of one sink's live events, of its snapshot, or of one of its replays. One worker has it at a time.
pub trait Progress: Send {
    /// What was saved last: every event up to here is settled.
    fn position(&self) -> FeedPosition;

    /// What was saved beside it.
    fn details(&self) -> &ProgressDetails;

    /// Makes `position` durable, with all that belongs to it. On return with `Ok` it survives any crash.
    ///
    /// # Errors
    /// See [`ProgressError`].
    fn save(&mut self, position: FeedPosition, details: ProgressDetails) -> Result<(), ProgressError>;

    /// Whether the worker still has it: one that another may have taken over by now hands nothing out any more. `now` is
    /// of the steady clock.
    fn is_held(&self, _now: Duration) -> bool {
        true
    }

    /// Whether the store keeps much for the last two saves that is not needed from `position` on. Two saves of that
    /// position end it.
    fn keeps_too_much(&self, _position: &FeedPosition) -> bool {
        false
    }
}

/// Where the progress of replays is kept.
pub trait ReplayProgress: Send + Sync {
    /// The progress of a replay of `sink`, or a new one before the first event of its range; from then on the store
    /// holds what is still to be read of the range.
    ///
    /// # Errors
    /// It cannot be read or made, or the range is not held any more.
    fn open(&self, sink: &str, spec: &ReplaySpec) -> Result<Box<dyn Progress>, FeedError>;

    /// A replay has ended: the store need not hold its range any longer, and its progress is removed. One that is not
    /// there is removed.
    fn close(&self, sink: &str, replay_id: uuid::Uuid);
}

/// Whose progress it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressKind {
    /// A sink's live events.
    #[default]
    Live,
    /// The snapshot that a sink starts with.
    Snapshot,
    /// A replay.
    Replay,
}

/// What a save says beside its position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgressDetails {
    /// Whose progress it is.
    pub kind: ProgressKind,
    /// Of a snapshot: every row up to this one is settled.
    pub rows: u64,
    /// Of a replay: events that the sink took.
    pub delivered: u64,
    /// Of a replay: events that were given up.
    pub failed: u64,
    /// Of a file sink: what of the file is synced.
    pub file: TargetMark,
    /// Which events after the position (or rows after `rows`) are settled.
    pub window: WindowBits,
}

/// Why a save did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgressError {
    /// The last save stands, or this one already does: it can be tried again.
    #[error("{0}")]
    TryAgain(String),
    /// Another relay has the sink by now, and nothing was saved. The worker must end: nothing of what it delivers counts.
    #[error("{0}")]
    Deposed(String),
    /// It is not known what is saved, and asking again would not tell: the process must end.
    #[error("{0}")]
    Unknown(String),
}
