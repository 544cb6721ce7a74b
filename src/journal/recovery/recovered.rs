//! What a start has found.

use crate::contracts::Lsn;

/// A journal that was read back.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The last frame.
    pub last_lsn: Lsn,
    /// How many frames were replayed.
    pub frames: u64,
    /// What was cut off, if anything.
    pub torn_tail: Option<TornTail>,
    /// Whether the last segment was sealed: the daemon had been stopped and not killed.
    pub sealed: bool,
}

/// The torn tail of a batch that was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub path: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is, up to the end of the file.
    pub bytes: u64,
}
