//! Reads the frames of one segment's bytes, and tells how it ends. No I/O: what the bytes say, and nothing else.

use super::format::{
    ALIGNMENT, FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader, UnknownKind,
};
use crate::contracts::Lsn;

/// Walks over the frames of a segment, each checked, and its place in the chain with it.
#[derive(Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    epoch: u32,
    /// Where the next frame starts.
    pub offset: usize,
    /// Where the last plan, or the mark after it, ends.
    pub plans_end: usize,
    /// The last frame's LSN.
    pub last_lsn: Lsn,
    /// The last plan's header CRC.
    pub chain: u32,
    /// The highest LSN that a frame says was durable.
    pub proven_lsn: Lsn,
}

/// What lies at the scan's offset.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A plan; the scan moved on behind it.
    Plan { lsn: Lsn, offset: usize, body: &'a [u8] },
    /// The plans before it are durable; the scan moved on after the mark.
    Mark,
    /// Nothing follows; the scan moved on behind the seal.
    Seal,
    /// Another segment follows; the scan moved on behind the link.
    Link,
    /// An intact frame in its place that a newer version has written.
    Unknown(UnknownKind),
    /// No frame that belongs here.
    Unreadable,
}

/// What an unreadable place in the last segment means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Only zeros: room that was never written.
    Unwritten,
    /// Bytes of a batch whose sync never returned: it was never acknowledged.
    Torn,
    /// A frame further on, at this offset, says that the unreadable one had been durable.
    Damaged { proof_offset: usize },
}

/// Compared in blocks, because most of a fresh segment is zeros and every start looks at all of them.
fn is_all_zeros(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

impl<'a> Scan<'a> {
    /// Starts behind the segment's header.
    pub fn new(header: &SegmentHeader, bytes: &'a [u8]) -> Self {
        let before = Lsn(header.base_lsn.0.saturating_sub(1));
        Self {
            bytes,
            epoch: header.epoch,
            offset: SEGMENT_HEADER_LEN,
            plans_end: SEGMENT_HEADER_LEN,
            last_lsn: before,
            chain: header.chain,
            // A segment is created only after everything before it is durable.
            proven_lsn: before,
        }
    }

    /// The segment.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Takes the next step.
    pub fn step(&mut self) -> Step<'a> {
        let Some(frame) = self.bytes.get(self.offset..) else { return Step::Unreadable };
        let Some(header) = FrameHeader::decode(frame) else {
            let unknown = FrameHeader::unknown_kind(frame, self.epoch, self.chain);
            return unknown.map_or(Step::Unreadable, Step::Unknown);
        };
        let lsn = match header.kind {
            FrameKind::Plan => self.last_lsn.next(),
            FrameKind::Mark | FrameKind::Seal | FrameKind::Link => self.last_lsn,
        };
        let in_place = header.lsn == lsn && header.epoch == self.epoch && header.chain == self.chain;
        let claim_is_possible = header.durable_lsn <= self.last_lsn;
        let Some(body) = header.checked_body(frame).filter(|_| in_place && claim_is_possible) else {
            return Step::Unreadable;
        };
        let offset = self.offset;
        self.offset = offset.saturating_add(header.frame_len());
        self.last_lsn = lsn;
        // The chain links plans: the next one follows the last plan, whatever came between.
        if header.kind == FrameKind::Plan {
            self.chain = header.header_crc;
        }
        if matches!(header.kind, FrameKind::Plan | FrameKind::Mark) {
            self.plans_end = self.offset;
        }
        self.proven_lsn = self.proven_lsn.max(header.durable_lsn);
        match header.kind {
            FrameKind::Plan => Step::Plan { lsn, offset, body },
            FrameKind::Mark => Step::Mark,
            FrameKind::Seal => Step::Seal,
            FrameKind::Link => Step::Link,
        }
    }

    /// Looks at what lies behind the last readable frame.
    ///
    /// A batch is written only after the sync of the one before returned, and says so (`durable_lsn`). So a frame
    /// further on that claims the unreadable one durable proves damage; where nothing claims it, the frame belongs to
    /// the last batch, never acknowledged.
    pub fn tail(&self) -> Tail {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        if is_all_zeros(rest) {
            return Tail::Unwritten;
        }
        let unreadable = self.last_lsn.next();
        // Frames start at multiples of the alignment, and the offset is one.
        let places = (0..rest.len().saturating_sub(FRAME_HEADER_LEN - 1)).step_by(ALIGNMENT);
        for place in places {
            let header = rest.get(place..).and_then(FrameHeader::decode);
            if header.is_some_and(|header| header.epoch == self.epoch && header.durable_lsn >= unreadable) {
                return Tail::Damaged { proof_offset: self.offset.saturating_add(place) };
            }
        }
        Tail::Torn
    }
}
