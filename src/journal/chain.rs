//! What tells two histories of one store apart: the checksum of a frame's header, which rests on all frames before it.

use crate::contracts::Lsn;

/// A plan, and the checksum of its frame's header: that of the whole history up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainEnd {
    /// The plan.
    pub lsn: Lsn,
    /// The header checksum of its frame.
    pub chain: u32,
}

/// A plan that a checkpoint rests on, with the checksum of its frame's header, which is that of the whole history up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPoint {
    /// The plan.
    pub lsn: Lsn,
    /// The header checksum of its frame.
    pub chain: u32,
    /// The file that says so.
    pub path: String,
}
