//! The only writer of the journal: stages frames, then makes a batch of them durable with one write and one sync.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::format::{ALIGNMENT, FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN};
use super::prepared::discard;
use super::segment::{NewSegment, is_no_room};
use super::segment_map::{FrameMark, MarkPace};
use super::{ChainEnd, SegmentInfo, SegmentMap, StoreId};
use crate::contracts::{Clock, CommitError, Lsn, Room, Storage};

/// The journal's limits, all from the configuration, and what makes its epochs differ from boot to boot.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// The size of a segment where there is room for it.
    pub segment_bytes: u64,
    /// The most that segments may take together.
    pub bytes_max: u64,
    /// The most that one batch writes, but for its last plan.
    pub batch_bytes_max: usize,
    /// More than any plan of a command takes.
    pub plan_bytes_max: u64,
    /// Room at the end of a segment that only decisions about delivery may use.
    pub decisions_bytes: u64,
    /// How often a full journal looks for room.
    pub full_probe: Duration,
    /// Random: the epochs of this boot's segments are made from it.
    pub epoch_seed: u64,
}

impl JournalOptions {
    /// Room that a segment must have for a batch to go into it: the batch, one plan more, what decisions may take beside
    /// them, and the end.
    pub(super) const fn reserve_bytes(&self) -> u64 {
        let batch = (self.batch_bytes_max as u64).saturating_add(self.plan_bytes_max);
        batch.saturating_add(self.decisions_bytes).saturating_add(END_BYTES)
    }
}

/// A segment ends with a seal or a link.
pub(super) const END_BYTES: u64 = FRAME_HEADER_LEN as u64;
/// A segment with less room than this takes no decision: it could be too long for it.
pub(super) const DECISION_BYTES_MIN: u64 = 4 << 10;

/// The journal, open for appending.
pub struct Journal {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) index: Arc<SegmentMap>,
    pub(super) options: JournalOptions,
    pub(super) store_id: StoreId,
    /// None while there is no room for one, and after the end.
    pub(super) active: Option<ActiveSegment>,
    /// A segment with plans that takes no more, and does not say yet that another follows.
    pub(super) behind: Option<SegmentEnd>,
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
    pub(super) full: Option<Full>,
    /// A sync or write failed: nothing may be written any more.
    pub(super) poisoned: bool,
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

/// There is no room.
pub(super) struct Full {
    /// When to look again.
    next_probe: Duration,
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
            active: None,
            behind: end.segment,
            batch: Vec::new(),
            batch_marks: Vec::new(),
            appended_lsn: end.last_lsn,
            chain: end.chain,
            durable_chain: end.chain,
            epochs_made: 0,
            full: None,
            poisoned: false,
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
        if self.poisoned {
            return Ok(Room::None);
        }
        let reserve = self.options.reserve_bytes().saturating_sub(END_BYTES);
        let fits = self.active.as_ref().is_some_and(|active| active.free_bytes() >= reserve);
        let rests = self.full.as_ref().is_some_and(|full| self.clock.monotonic() < full.next_probe);
        let ready = fits && self.full.is_none();
        if !ready && !rests {
            self.rotate()?;
        }
        Ok(match &self.full {
            None => Room::ForAll,
            Some(_) if self.takes_decisions() => Room::ForDecisions,
            Some(_) => Room::None,
        })
    }

    pub(super) fn takes_decisions(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.free_bytes() >= DECISION_BYTES_MIN)
    }

    /// Whether `count` more plans of `bytes` together can be staged now.
    #[must_use]
    pub fn fits(&self, count: usize, bytes: usize) -> bool {
        const FRAME_BYTES: usize = FRAME_HEADER_LEN + ALIGNMENT;
        let needed = count.saturating_mul(FRAME_BYTES).saturating_add(bytes).saturating_add(self.batch.len());
        !self.poisoned && self.active.as_ref().is_some_and(|active| active.free_bytes() >= needed as u64)
    }

    /// Puts a frame into the batch. `make_room` has seen to it that it fits.
    pub fn stage(&mut self, body: &[u8]) -> Lsn {
        let lsn = self.appended_lsn.next();
        let epoch = self.active.as_ref().map_or(0, |active| active.segment.header.epoch);
        if let Some(active) = self.active.as_mut() {
            let frame = FrameMark { lsn, offset: active.offset.saturating_add(self.batch.len() as u64) };
            if active.pace.is_due(frame) {
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
        if self.poisoned {
            return Err(failed("earlier write", io::Error::other("the journal was poisoned by it")));
        }
        let Some(active) = self.active.as_mut() else {
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
        let idle = !self.poisoned && self.batch.is_empty();
        let Some(active) = self.active.as_mut().filter(|active| idle && active.proven_lsn < durable_lsn) else {
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
        if self.poisoned || !self.batch.is_empty() {
            return Err(io::Error::other("the journal ends in an unknown state"));
        }
        if let Some(prepared) = self.index.take_prepared() {
            discard(self.storage.as_ref(), prepared);
        }
        let Some(active) = self.active.take() else { return Ok(()) };
        let end = active.end();
        self.write_end(active.segment.file.as_ref(), FrameKind::Seal, &end)
    }

    /// A write found no room: cuts off what of it is there, so that nothing half-written stays behind.
    fn abort(&mut self, error: io::Error) -> CommitError {
        let Some(active) = self.active.as_ref() else { return self.poison("write", error) };
        // Cut to the durable end and sync: after this the segment holds what was told to clients and nothing else. It
        // takes no more frames; the next batch goes into a new segment, once there is room for one.
        let cut = active.segment.file.set_len(active.offset).and_then(|()| active.segment.file.sync_data());
        if let Err(cut_error) = cut {
            return self.poison("cut after a failed write", cut_error);
        }
        self.index.put(active.segment.header.base_lsn, SegmentInfo { bytes: active.offset });
        if active.offset > SEGMENT_HEADER_LEN as u64 {
            self.behind = Some(active.end());
        }
        self.active = None;
        self.batch.clear();
        self.batch_marks.clear();
        self.appended_lsn = self.index.durable_lsn();
        self.chain = self.durable_chain;
        tracing::error!(%error, "no room for a batch: changes are refused until there is");
        self.set_full();
        CommitError::Full(error)
    }

    pub(super) fn set_full(&mut self) {
        self.full = Some(Full { next_probe: self.clock.monotonic().saturating_add(self.options.full_probe) });
        self.index.set_full(true);
    }

    pub(super) fn poison(&mut self, operation: &'static str, error: io::Error) -> CommitError {
        self.poisoned = true;
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
