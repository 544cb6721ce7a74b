//! The only writer of the journal: stages frames, then makes a batch of them durable with one write and one sync.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::format::{ALIGNMENT, FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN};
use super::last_segment::{ActiveSegment, END_BYTES, End, LastSegment};
use super::prepared::discard;
use super::segment::is_no_room;
use super::segment_map::FrameMark;
use super::{ChainEnd, JournalOptions, SegmentInfo, SegmentMap, StoreId};
use crate::contracts::{Clock, CommitError, Lsn, Room, Storage};

/// A segment with less room than this takes no decision: it could be too long for it.
pub(super) const DECISION_BYTES_MIN: u64 = 4 << 10;

/// The journal, open for appending.
pub struct Journal {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) index: Arc<SegmentMap>,
    pub(super) options: JournalOptions,
    pub(super) store_id: StoreId,
    pub(super) condition: Condition,
    pub(super) last: LastSegment,
    /// The segment before may have a name that is not durable; it is, before another one gets a name.
    pub(super) name_is_pending: bool,
    /// The frames of the batch that is being put together.
    pub(super) batch: Vec<u8>,
    /// Where some of them will be.
    pub(super) batch_marks: Vec<FrameMark>,
    /// The last frame in `batch`, or else the last one written.
    pub(super) appended_lsn: Lsn,
    /// The header CRC of that frame.
    pub(super) chain: u32,
    /// The header CRC of the last durable frame.
    pub(super) durable_chain: u32,
    pub(super) epochs_made: u64,
}

/// What the journal takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Plans of all kinds.
    Open,
    /// Decisions at the most: there was no room for a segment, and from `next_probe` on it is looked for again.
    Full { next_probe: Duration },
    /// Nothing more: its end is written.
    Closed,
    /// Nothing more: a sync or write failed.
    Poisoned,
}

impl Journal {
    /// Goes on behind `end`, in a segment of its own: an older one gets no more plans, and the new segment's base says
    /// from now on where it ends.
    ///
    /// No room for the segment is not an error: the journal is then full, and readable.
    pub(super) fn start(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        index: Arc<SegmentMap>,
        options: JournalOptions,
        store_id: StoreId,
        end: End,
    ) -> Result<Self, CommitError> {
        index.set_durable_lsn(end.last_lsn);
        let mut journal = Self {
            storage,
            clock,
            index,
            options,
            store_id,
            condition: Condition::Open,
            last: end.segment.map_or(LastSegment::Linked, LastSegment::Unlinked),
            name_is_pending: false,
            batch: Vec::new(),
            batch_marks: Vec::new(),
            appended_lsn: end.last_lsn,
            chain: end.chain,
            durable_chain: end.chain,
            epochs_made: 0,
        };
        journal.rotate()?;
        Ok(journal)
    }

    /// What readers know of this journal.
    #[must_use]
    pub const fn index(&self) -> &Arc<SegmentMap> {
        &self.index
    }

    /// The last plan that is durable.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.index.durable_lsn()
    }

    /// The last plan that is durable, with its frame's checksum. To be asked between two batches.
    #[must_use]
    pub fn durable_end(&self) -> ChainEnd {
        ChainEnd { lsn: self.index.durable_lsn(), chain: self.durable_chain }
    }

    /// The bytes staged so far.
    #[must_use]
    pub const fn staged_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Sees to it that a batch can be put together now, and says of what. To be called before the first plan of each: it
    /// changes to a new segment where the active one is nearly full, and looks for room from time to time where there was
    /// none.
    ///
    /// # Errors
    /// The journal cannot be trusted any more.
    pub fn make_room(&mut self) -> Result<Room, CommitError> {
        debug_assert!(self.batch.is_empty());
        let reserve = self.options.reserve_bytes().saturating_sub(END_BYTES);
        match self.condition {
            Condition::Closed | Condition::Poisoned => return Ok(Room::None),
            Condition::Open if self.last.active().is_some_and(|active| active.free_bytes() >= reserve) => {}
            Condition::Full { next_probe } if self.clock.monotonic() < next_probe => {}
            Condition::Open | Condition::Full { .. } => self.rotate()?,
        }
        Ok(match self.condition {
            Condition::Open => Room::ForAll,
            Condition::Full { .. } if self.takes_decisions() => Room::ForDecisions,
            Condition::Full { .. } | Condition::Closed | Condition::Poisoned => Room::None,
        })
    }

    pub(super) fn takes_decisions(&self) -> bool {
        self.last.active().is_some_and(|active| active.free_bytes() >= DECISION_BYTES_MIN)
    }

    /// Whether `count` more plans of `bytes` together can be staged now.
    #[must_use]
    pub fn fits(&self, count: usize, bytes: usize) -> bool {
        const FRAME_BYTES: usize = FRAME_HEADER_LEN + ALIGNMENT;
        let needed = count.saturating_mul(FRAME_BYTES).saturating_add(bytes).saturating_add(self.batch.len());
        let has_room = |active: &ActiveSegment| active.free_bytes() >= needed as u64;
        self.condition != Condition::Poisoned && self.last.active().is_some_and(has_room)
    }

    /// Puts a frame into the batch. `make_room` has seen to it that it fits.
    pub fn stage(&mut self, body: &[u8]) -> Lsn {
        let lsn = self.appended_lsn.next();
        let epoch = self.last.active().map_or(0, |active| active.segment.header.epoch);
        if let Some(active) = self.last.active_mut() {
            let frame = FrameMark { lsn, offset: active.offset.saturating_add(self.batch.len() as u64) };
            if active.pace.take_if_due(frame) {
                self.batch_marks.push(frame);
            }
        }
        let durable_lsn = self.index.durable_lsn();
        let header = FrameHeader::append_plan(&mut self.batch, lsn, durable_lsn, epoch, self.chain, body);
        self.appended_lsn = lsn;
        self.chain = header.header_crc;
        lsn
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// [`CommitError::Full`]: the batch is not in the journal, and the next may be tried when `make_room` says so.
    /// [`CommitError::Failed`]: it is unknown whether it is; this journal takes nothing more.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if self.condition == Condition::Poisoned {
            return Err(failed("earlier write", io::Error::other("the journal was poisoned by it")));
        }
        let Some(active) = self.last.active_mut() else {
            return Err(self.poison("write", io::Error::other("there is no segment")));
        };
        // 1. One write for the whole batch, behind everything that is durable. A crash here leaves a torn tail: its
        //    frames claim nothing beyond what was durable before, so recovery may cut it.
        if let Err(error) = active.segment.file.write_all_at(&self.batch, active.offset) {
            return Err(if is_no_room(&error) { self.abort(error) } else { self.poison("write", error) });
        }
        // 2. One sync. Its failure is final: the kernel may have marked the pages clean without writing them, and a
        //    second call would report success for bytes that are not there.
        let before_sync = self.clock.monotonic();
        if let Err(error) = active.segment.file.sync_data() {
            return Err(self.poison("sync", error));
        }
        // 3. A file that no name leads to any more is no journal: what was just synced is gone with the process.
        match self.storage.names(&active.path, active.segment.file.as_ref()) {
            Ok(true) => {}
            Ok(false) => {
                let problem = format!("{} was removed or replaced by somebody else", active.path);
                return Err(self.poison("check of the segment's name", io::Error::other(problem)));
            }
            Err(error) => return Err(self.poison("check of the segment's name", error)),
        }
        // 4. Only now may anybody hear of it: answers, readers, the relay.
        active.offset += self.batch.len() as u64;
        let reserve = self.options.reserve_bytes();
        if active.offset > active.segment.capacity.saturating_sub(reserve) / 2 {
            self.index.want_prepared(self.options.segment_bytes.max(reserve.saturating_add(SEGMENT_HEADER_LEN as u64)));
        }
        if !self.batch_marks.is_empty() {
            self.index.mark(active.segment.header.base_lsn, &self.batch_marks);
            self.batch_marks.clear();
        }
        self.index.metrics().sync_duration.record_duration(self.clock.monotonic().saturating_sub(before_sync));
        self.index.metrics().appended_bytes.add(self.batch.len() as u64);
        self.index.add_written(self.batch.len() as u64);
        self.batch.clear();
        self.durable_chain = self.chain;
        self.index.set_durable_lsn(self.appended_lsn);
        Ok(())
    }

    /// Proves the last batch, after which nothing came for a while: damage to it is then told from a torn tail.
    ///
    /// # Errors
    /// [`CommitError::Failed`]: the journal takes nothing more.
    pub fn mark_idle(&mut self) -> Result<(), CommitError> {
        let (durable_lsn, chain) = (self.index.durable_lsn(), self.durable_chain);
        let idle = self.condition != Condition::Poisoned && self.batch.is_empty();
        let Some(active) = self.last.active_mut().filter(|active| idle && active.proven_lsn < durable_lsn) else {
            return Ok(());
        };
        let mut frame = Vec::with_capacity(FRAME_HEADER_LEN);
        FrameHeader::append_end(&mut frame, FrameKind::Mark, durable_lsn, active.segment.header.epoch, chain);
        // Its room is that of a batch: who has none left proves nothing, and nothing is missing.
        if active.free_bytes() < frame.len() as u64 {
            return Ok(());
        }
        match active.segment.file.write_all_at(&frame, active.offset) {
            Err(error) if is_no_room(&error) => return Ok(()),
            Err(error) => return Err(self.poison("write of a mark", error)),
            Ok(()) => {}
        }
        if let Err(error) = active.segment.file.sync_data() {
            return Err(self.poison("sync of a mark", error));
        }
        active.offset = active.offset.saturating_add(frame.len() as u64);
        active.proven_lsn = durable_lsn;
        Ok(())
    }

    /// Ends the active segment for good. To be called once, with no batch open, when no more plans will come.
    ///
    /// # Errors
    /// The seal is not durable; all plans are.
    pub fn close(&mut self) -> io::Result<()> {
        if self.condition == Condition::Poisoned || !self.batch.is_empty() {
            return Err(io::Error::other("the journal ends in an unknown state"));
        }
        if let Some(prepared) = self.index.take_prepared() {
            discard(self.storage.as_ref(), prepared);
        }
        self.condition = Condition::Closed;
        let last = std::mem::replace(&mut self.last, LastSegment::Linked);
        let LastSegment::Active(active) = last else { return Ok(()) };
        let end = active.end();
        self.write_end(active.segment.file.as_ref(), FrameKind::Seal, &end).map(drop)
    }

    /// A write found no room: cuts off what of it is there, so that nothing half-written stays behind.
    fn abort(&mut self, error: io::Error) -> CommitError {
        let Some(active) = self.last.active() else { return self.poison("write", error) };
        // Cut to the durable end and sync: after this the segment holds what was told to clients and nothing else. It
        // takes no more frames; the next batch goes into a new segment, once there is room for one.
        let cut = active.segment.file.set_len(active.offset).and_then(|()| active.segment.file.sync_data());
        if let Err(cut_error) = cut {
            return self.poison("cut after a failed write", cut_error);
        }
        self.index.put(active.segment.header.base_lsn, SegmentInfo { bytes: active.offset });
        let has_plans = active.offset > SEGMENT_HEADER_LEN as u64;
        self.last = if has_plans { LastSegment::Unlinked(active.end()) } else { LastSegment::Linked };
        self.batch.clear();
        self.batch_marks.clear();
        self.appended_lsn = self.index.durable_lsn();
        self.chain = self.durable_chain;
        tracing::error!(%error, "no room for a batch: changes are refused until there is");
        self.set_full();
        CommitError::Full(error)
    }

    pub(super) fn set_full(&mut self) {
        let next_probe = self.clock.monotonic().saturating_add(self.options.full_probe);
        self.condition = Condition::Full { next_probe };
        self.index.set_full(true);
    }

    pub(super) fn poison(&mut self, operation: &'static str, error: io::Error) -> CommitError {
        self.condition = Condition::Poisoned;
        failed(operation, error)
    }

    /// Differs from segment to segment and from boot to boot, so that bytes of another one never pass for this one's.
    pub(super) fn next_epoch(&mut self) -> u32 {
        self.epochs_made += 1;
        let seed = crc32c::crc32c(&self.options.epoch_seed.to_le_bytes());
        crc32c::crc32c_append(seed, &self.epochs_made.to_le_bytes()).max(1)
    }
}

fn failed(operation: &'static str, source: io::Error) -> CommitError {
    CommitError::Failed { operation, source }
}
