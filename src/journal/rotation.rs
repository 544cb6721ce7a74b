//! How the journal changes from one segment to the next.

use std::io;

use super::format::{FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};
use super::last_segment::{ActiveSegment, END_BYTES, LastSegment, SegmentEnd};
use super::prepared::discard;
use super::segment::{CreateError, NewSegment, create_segment, is_no_room, segment_path};
use super::segment_map::{FrameMark, MarkPace};
use super::writer::{Condition, DECISION_BYTES_MIN, Journal};
use super::{JOURNAL_DIR, SegmentInfo};
use crate::contracts::{CommitError, Lsn, StorageFile};

/// What became of a segment's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The seal or the link is durable, or there is no segment to end.
    Done,
    /// There was no room for it.
    NoRoom,
}

impl Journal {
    /// Writes a seal or a link behind the last plan of a segment, and gives the unused room back. With it in place
    /// any damage before it can be proved, and so can a cut at the end.
    pub(super) fn write_end(&self, file: &dyn StorageFile, kind: FrameKind, end: &SegmentEnd) -> io::Result<Ending> {
        let mut frame = Vec::with_capacity(FRAME_HEADER_LEN);
        FrameHeader::append_end(&mut frame, kind, self.appended_lsn, end.epoch, self.chain);
        let len = end.offset.saturating_add(frame.len() as u64);
        match file.write_all_at(&frame, end.offset) {
            // It was cut to its last byte when the disk was full, or may grow no more. No plan is missing from it.
            Err(error) if is_no_room(&error) => {
                tracing::warn!(%error, "no room to mark the end of a segment; nothing is missing from it");
                return Ok(Ending::NoRoom);
            }
            written => written?,
        }
        // Before the sync: room that came back after a crash would count in what the journal may take.
        file.set_len(len)?;
        // A failed sync is final whatever it says: it is never taken for a full disk.
        file.sync_data().map_err(io::Error::other)?;
        self.index.put(end.base_lsn, SegmentInfo { bytes: len });
        Ok(Ending::Done)
    }

    /// Lets the segment before the one from `base_lsn` say that another follows: from now on it is noticed if that one is
    /// missing.
    fn write_link(&self, before: &LastSegment, base_lsn: Lsn) -> io::Result<Ending> {
        match before {
            LastSegment::Active(old) if old.segment.header.base_lsn != base_lsn => {
                self.write_end(old.segment.file.as_ref(), FrameKind::Link, &old.end())
            }
            LastSegment::Unlinked(end) => {
                let file = self.storage.open(&segment_path(end.base_lsn))?;
                self.write_end(file.as_ref(), FrameKind::Link, end)
            }
            // The new one takes its place.
            LastSegment::Active(_) | LastSegment::Linked => Ok(Ending::Done),
        }
    }

    /// Changes to a new segment, or notes that there is no room for one.
    pub(super) fn rotate(&mut self) -> Result<(), CommitError> {
        let header = SegmentHeader {
            epoch: self.next_epoch(),
            store_id: self.store_id,
            base_lsn: self.appended_lsn.next(),
            chain: self.chain,
        };
        let reserve = self.options.reserve_bytes();
        match self.next_segment(header, reserve) {
            Ok(segment) => {
                self.activate(segment)?;
                self.index.set_full(false);
                if matches!(std::mem::replace(&mut self.condition, Condition::Open), Condition::Full { .. }) {
                    tracing::info!("there is room again: changes are taken");
                }
                Ok(())
            }
            Err(CreateError::NotNow(error)) => {
                if self.condition == Condition::Open {
                    tracing::error!(%error, "no room for a new segment: changes are refused until there is");
                }
                self.set_full();
                self.keep_room_for_decisions(header)
            }
            Err(CreateError::Failed(operation, error)) => Err(self.poison(operation, error)),
        }
    }

    /// Where there is no room for commands and none is left for decisions either, a small segment takes them: who skips
    /// or parks makes room.
    fn keep_room_for_decisions(&mut self, header: SegmentHeader) -> Result<(), CommitError> {
        if self.takes_decisions() || self.options.decisions_bytes < DECISION_BYTES_MIN {
            return Ok(());
        }
        let wanted = self.options.decisions_bytes.saturating_add(END_BYTES);
        match self.create(header, wanted, DECISION_BYTES_MIN.saturating_mul(2)) {
            Ok(segment) => self.activate(segment),
            Err(CreateError::NotNow(_)) => Ok(()),
            Err(CreateError::Failed(operation, error)) => Err(self.poison(operation, error)),
        }
    }

    /// The segment that was made ahead, or else a new one, with room for `reserve` bytes at least.
    fn next_segment(&mut self, header: SegmentHeader, reserve: u64) -> Result<NewSegment, CreateError> {
        if let Some(prepared) = self.index.take_prepared() {
            // Only a link tells that the segment under the prepared one's name is not to be missed. Where none is written,
            // because the segment before has no plan, that name is not relied on.
            let is_linked = self.last.end().is_some_and(|end| end.base_lsn != header.base_lsn);
            if is_linked && prepared.capacity >= reserve.saturating_add(SEGMENT_HEADER_LEN as u64) {
                // The one before has a durable name since this one was made.
                let segment = prepared.begin(self.storage.as_ref(), header)?;
                self.name_is_pending = true;
                return Ok(segment);
            }
            discard(self.storage.as_ref(), prepared);
        }
        self.create(header, self.options.segment_bytes, reserve)
    }

    /// Makes a segment with room for `wanted` bytes, or for `needed` at least.
    fn create(&mut self, header: SegmentHeader, wanted: u64, needed: u64) -> Result<NewSegment, CreateError> {
        let (taken, bytes_max) = (self.index.totals().1, self.options.bytes_max);
        let bytes_min = needed.saturating_add(SEGMENT_HEADER_LEN as u64);
        if taken.saturating_add(bytes_min) > bytes_max {
            let budget = format!("the journal has {taken} of journal.bytes_max = {bytes_max} bytes");
            return Err(CreateError::NotNow(io::Error::new(io::ErrorKind::QuotaExceeded, budget)));
        }
        // A power cut may keep the new name and lose the one before: then there would be a hole.
        self.sync_pending_name().map_err(|error| CreateError::Failed("sync of the journal's directory", error))?;
        let wanted = wanted.min(bytes_max.saturating_sub(taken));
        create_segment(self.storage.as_ref(), header, wanted, bytes_min)
    }

    fn sync_pending_name(&mut self) -> io::Result<()> {
        if self.name_is_pending {
            self.storage.sync_dir(JOURNAL_DIR)?;
            self.name_is_pending = false;
        }
        Ok(())
    }

    /// Goes on in a segment that was made.
    fn activate(&mut self, segment: NewSegment) -> Result<(), CommitError> {
        let header = segment.header;
        // The new segment is durable, and takes no plan before the old one says that it is there: so a segment whose
        // plans were answered is never missing unnoticed. A crash in between finds the old one without its link, and
        // the new one, which proves where the old one ends, without a plan.
        let before = std::mem::replace(&mut self.last, LastSegment::Linked);
        let linked = self.write_link(&before, header.base_lsn);
        if linked.map_err(|error| self.poison("end of a segment", error))? == Ending::NoRoom {
            // Nothing leads to the new one but its name, which may not be durable yet.
            self.sync_pending_name().map_err(|error| self.poison("sync of the journal's directory", error))?;
        }
        self.index.put(header.base_lsn, SegmentInfo { bytes: segment.capacity });
        let offset = SEGMENT_HEADER_LEN as u64;
        let pace = MarkPace::from(FrameMark { lsn: header.base_lsn, offset });
        // The link of the segment before proves what is in that one.
        let proven_lsn = self.index.durable_lsn();
        let path = segment_path(header.base_lsn);
        self.last = LastSegment::Active(ActiveSegment { segment, path, offset, pace, proven_lsn });
        Ok(())
    }
}
