//! What a start does to the end of the last segment, once it has read everything.

use crate::contracts::{Lsn, Storage};
use crate::journal::error::io_error;
use crate::journal::format::SegmentHeader;
use crate::journal::scan::{Scan, Step};
use crate::journal::segment::segment_path;
use crate::journal::{RecoveryError, SegmentInfo, SegmentMap};

/// What is to be done to the last segment.
pub struct TailRepair {
    base_lsn: Lsn,
    /// Where it ends.
    len: u64,
    /// The readable frames of its last batch, and where they are.
    unconfirmed: Vec<u8>,
    unproven_offset: u64,
}

impl TailRepair {
    /// None if the segment is as it should be.
    pub fn of(scan: &Scan<'_>, header: &SegmentHeader, sealed: bool, file_len: u64) -> Option<Self> {
        let len = scan.offset as u64;
        let (unproven_offset, unconfirmed) = if sealed { (len, Vec::new()) } else { unproven_frames(scan, header) };
        let needed = file_len > len || !unconfirmed.is_empty();
        needed.then_some(Self { base_lsn: header.base_lsn, len, unconfirmed, unproven_offset })
    }

    /// Makes the end of the segment durable as it was read, and gives the room behind it back.
    ///
    /// The last batch reads well, but nothing proves that it is on the medium: a killed daemon may have left it in the
    /// page cache only, clean after a failed sync. Writing the same bytes to the same place and syncing makes it
    /// durable before anybody is told of it, without needing room; torn in the middle it is still the same.
    ///
    /// What lies behind is a torn tail, or room that was never written. With it cut off, a daemon that is killed again
    /// and again does not fill the disk with room that nobody uses. A crash before the cut is durable finds again what
    /// we found.
    pub fn settle(&self, storage: &dyn Storage, index: &SegmentMap) -> Result<(), RecoveryError> {
        let path = segment_path(self.base_lsn);
        let file = storage.open(&path).map_err(io_error("opening", &path))?;
        if !self.unconfirmed.is_empty() {
            let written = file.write_all_at(&self.unconfirmed, self.unproven_offset);
            written.map_err(io_error("writing back the last batch of", &path))?;
        }
        file.set_len(self.len).map_err(io_error("cutting", &path))?;
        file.sync_data().map_err(io_error("syncing", &path))?;
        index.put(self.base_lsn, SegmentInfo { bytes: self.len });
        Ok(())
    }
}

/// The frames behind the last that a later one claims durable, and where they begin: at most one batch.
fn unproven_frames(end: &Scan<'_>, header: &SegmentHeader) -> (u64, Vec<u8>) {
    let mut scan = Scan::new(header, end.bytes());
    while scan.last_lsn < end.proven_lsn && !matches!(scan.step(), Step::Unreadable | Step::Unknown(_)) {}
    let bytes = end.bytes().get(scan.offset..end.offset).unwrap_or_default().to_vec();
    (scan.offset as u64, bytes)
}
