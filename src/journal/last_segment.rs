//! The segment at the end of the journal.

use super::format::FRAME_HEADER_LEN;
use super::segment::NewSegment;
use super::segment_map::MarkPace;
use crate::contracts::Lsn;

/// A segment ends with a seal or a link.
pub(super) const END_BYTES: u64 = FRAME_HEADER_LEN as u64;

/// The last segment with a plan, or the one that the next plan goes to.
pub(super) enum LastSegment {
    /// It takes plans.
    Active(ActiveSegment),
    /// It takes no more, and does not say yet that another follows.
    Unlinked(SegmentEnd),
    /// There is none, or it says so.
    Linked,
}

impl LastSegment {
    pub(super) const fn active(&self) -> Option<&ActiveSegment> {
        match self {
            Self::Active(active) => Some(active),
            Self::Unlinked(_) | Self::Linked => None,
        }
    }

    pub(super) const fn active_mut(&mut self) -> Option<&mut ActiveSegment> {
        match self {
            Self::Active(active) => Some(active),
            Self::Unlinked(_) | Self::Linked => None,
        }
    }

    /// Where the link to the next one goes.
    pub(super) const fn end(&self) -> Option<SegmentEnd> {
        match self {
            Self::Active(active) => Some(active.end()),
            Self::Unlinked(end) => Some(*end),
            Self::Linked => None,
        }
    }
}

pub(super) struct ActiveSegment {
    pub(super) segment: NewSegment,
    pub(super) path: String,
    /// Where the next batch goes.
    pub(super) offset: u64,
    pub(super) pace: MarkPace,
    /// The last plan in it that a mark, or an earlier segment's link, proves to be durable.
    pub(super) proven_lsn: Lsn,
}

impl ActiveSegment {
    /// What can still be written to it, its end apart.
    pub(super) const fn free_bytes(&self) -> u64 {
        self.segment.capacity.saturating_sub(self.offset).saturating_sub(END_BYTES)
    }

    pub(super) const fn end(&self) -> SegmentEnd {
        let header = &self.segment.header;
        SegmentEnd { base_lsn: header.base_lsn, epoch: header.epoch, offset: self.offset }
    }
}

/// Where recovery found the journal's end.
#[derive(Debug, Clone, Copy)]
pub struct End {
    pub last_lsn: Lsn,
    pub chain: u32,
    /// The segment that holds the last plan.
    pub segment: Option<SegmentEnd>,
}

/// Where the plans of a segment end.
#[derive(Debug, Clone, Copy)]
pub struct SegmentEnd {
    pub base_lsn: Lsn,
    pub epoch: u32,
    pub offset: u64,
}
