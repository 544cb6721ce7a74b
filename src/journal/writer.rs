//! The only writer of the journal: stages frames, then makes a batch of them durable with one write and one sync.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::format::{FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};
use super::segment::{CreateError, NewSegment, create_segment, is_no_room, segment_path};
use super::{SegmentInfo, SegmentMap, StoreId};
use crate::contracts::{Clock, CommitError, Lsn, Storage, StorageFile};

/// The journal's limits, all from the configuration, and what makes its epochs differ from boot to boot.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// The size of a segment where there is room for it.
    pub segment_bytes: u64,
    /// The most that segments may take together.
    pub bytes_max: u64,
    /// The most that one batch writes, but for its last plan.
    pub batch_bytes_max: usize,
    /// How often a full journal looks for room.
    pub full_probe: Duration,
    /// Random: the epochs of this boot's segments are made from it.
    pub epoch_seed: u64,
}

impl JournalOptions {
    /// Room that a segment must have for a batch to go into it: the batch, one plan more, and the seal.
    const fn reserve_bytes(&self) -> u64 {
        // A plan's longest part is a reason of 500 characters, four bytes each.
        const ONE_PLAN_AND_THE_SEAL: u64 = 8 << 10;
        (self.batch_bytes_max as u64).saturating_add(ONE_PLAN_AND_THE_SEAL)
    }
}

/// The journal, open for appending.
pub struct Journal {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    index: Arc<SegmentMap>,
    options: JournalOptions,
    store_id: StoreId,
    /// None while there is no room for one, and after the end.
    active: Option<ActiveSegment>,
    /// A segment with plans that takes no more, and does not say yet that another follows.
    behind: Option<SegmentEnd>,
    /// The frames of the batch that is being put together.
    batch: Vec<u8>,
    /// The last frame in `batch`, or else the last one written.
    appended_lsn: Lsn,
    /// The header CRC of that frame.
    chain: u32,
    /// The header CRC of the last durable frame.
    durable_chain: u32,
    epochs_made: u64,
    full: Option<Full>,
    /// A sync or write failed: nothing may be written any more.
    poisoned: bool,
}

struct ActiveSegment {
    segment: NewSegment,
    /// Where the next batch goes.
    offset: u64,
}

impl ActiveSegment {
    const fn end(&self) -> SegmentEnd {
        let header = &self.segment.header;
        SegmentEnd { base_lsn: header.base_lsn, epoch: header.epoch, offset: self.offset }
    }
}

/// There is no room.
struct Full {
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

    /// The bytes staged so far.
    #[must_use]
    pub const fn staged_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Whether a batch can be put together now. To be asked before the first plan of each: it changes to a new segment
    /// where the active one is nearly full, and looks for room from time to time where there was none.
    ///
    /// # Errors
    /// The journal cannot be trusted any more.
    pub fn has_room(&mut self) -> Result<bool, CommitError> {
        debug_assert!(self.batch.is_empty());
        if self.poisoned {
            return Ok(false);
        }
        let reserve = self.options.reserve_bytes();
        let fits = self.active.as_ref().is_some_and(|active| active.segment.capacity - active.offset >= reserve);
        if fits && self.full.is_none() {
            return Ok(true);
        }
        if self.full.as_ref().is_some_and(|full| self.clock.monotonic() < full.next_probe) {
            return Ok(false);
        }
        self.rotate()?;
        Ok(self.full.is_none())
    }

    /// Puts a frame into the batch. `has_room` said yes for this batch.
    pub fn stage(&mut self, body: &[u8]) -> Lsn {
        let lsn = self.appended_lsn.next();
        let epoch = self.active.as_ref().map_or(0, |active| active.segment.header.epoch);
        let durable_lsn = self.index.durable_lsn();
        let header = FrameHeader::append_plan(&mut self.batch, lsn, durable_lsn, epoch, self.chain, body);
        self.appended_lsn = lsn;
        self.chain = header.header_crc;
        lsn
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// [`CommitError::Full`]: the batch is not in the journal, and the next may be tried when `has_room` says so.
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
        if let Err(error) = active.segment.file.sync_data() {
            return Err(self.poison("sync", error));
        }
        // 3. Only now may anybody hear of it: answers, readers, the relay.
        active.offset += self.batch.len() as u64;
        self.index.add_written(self.batch.len() as u64);
        self.batch.clear();
        self.durable_chain = self.chain;
        self.index.set_durable_lsn(self.appended_lsn);
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
        let Some(active) = self.active.take() else { return Ok(()) };
        let end = active.end();
        self.write_end(active.segment.file.as_ref(), FrameKind::Seal, &end)
    }

    /// Writes a seal or a link behind the last plan of a segment, and gives the unused room back. With it in place
    /// any damage before it can be proved, and so can a cut at the end.
    fn write_end(&self, file: &dyn StorageFile, kind: FrameKind, end: &SegmentEnd) -> io::Result<()> {
        let mut frame = Vec::with_capacity(FRAME_HEADER_LEN);
        FrameHeader::append_end(&mut frame, kind, self.appended_lsn, end.epoch, self.chain);
        let len = end.offset.saturating_add(frame.len() as u64);
        match file.write_all_at(&frame, end.offset) {
            // It was cut to its last byte when the disk was full. No plan is missing from it.
            Err(error) if kind == FrameKind::Link && is_no_room(&error) => return Ok(()),
            written => written?,
        }
        file.set_len(len)?;
        // A failed sync is final whatever it says: it is never taken for a full disk.
        file.sync_data().map_err(io::Error::other)?;
        self.index.put(end.base_lsn, SegmentInfo { bytes: len });
        Ok(())
    }

    /// Lets the segment before a new one say that another follows: from now on it is noticed if that one is missing.
    fn write_bridge(&mut self, old: Option<ActiveSegment>) -> io::Result<()> {
        let kind = FrameKind::Link;
        match (old, self.behind.take()) {
            (Some(old), _) => self.write_end(old.segment.file.as_ref(), kind, &old.end()),
            (None, Some(behind)) => {
                let file = self.storage.open(&segment_path(behind.base_lsn))?;
                self.write_end(file.as_ref(), kind, &behind)
            }
            (None, None) => Ok(()),
        }
    }

    /// Changes to a new segment, or notes that there is no room for one.
    fn rotate(&mut self) -> Result<(), CommitError> {
        let header = SegmentHeader {
            epoch: self.next_epoch(),
            store_id: self.store_id,
            base_lsn: self.appended_lsn.next(),
            chain: self.chain,
        };
        let bytes_min = self.options.reserve_bytes().saturating_add(SEGMENT_HEADER_LEN as u64);
        let taken = self.index.totals().1;
        let created = if taken.saturating_add(bytes_min) > self.options.bytes_max {
            let budget = format!("the journal has {taken} of journal.bytes_max = {} bytes", self.options.bytes_max);
            Err(CreateError::NotCreated(io::Error::new(io::ErrorKind::QuotaExceeded, budget)))
        } else {
            let wanted = self.options.segment_bytes.min(self.options.bytes_max.saturating_sub(taken));
            create_segment(self.storage.as_ref(), header, wanted, bytes_min)
        };
        let segment = match created {
            Ok(segment) => segment,
            Err(CreateError::NotCreated(error)) => {
                if self.full.is_none() {
                    tracing::error!(%error, "no room for a new segment: changes are refused until there is");
                }
                self.set_full();
                return Ok(());
            }
            Err(CreateError::Failed(operation, error)) => return Err(self.poison(operation, error)),
        };
        // The new segment is durable, and takes no plan before the old one says that it is there: so a segment whose
        // plans were answered is never missing unnoticed. A crash in between finds the old one without its link, and
        // the new one, which proves where the old one ends, without a plan.
        let old = self.active.take().filter(|old| old.segment.header.base_lsn != header.base_lsn);
        self.write_bridge(old).map_err(|error| self.poison("end of a segment", error))?;
        self.index.put(header.base_lsn, SegmentInfo { bytes: segment.capacity });
        self.active = Some(ActiveSegment { segment, offset: SEGMENT_HEADER_LEN as u64 });
        self.index.set_full(false);
        if self.full.take().is_some() {
            tracing::info!("there is room again: changes are taken");
        }
        Ok(())
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
        self.appended_lsn = self.index.durable_lsn();
        self.chain = self.durable_chain;
        tracing::error!(%error, "no room for a batch: changes are refused until there is");
        self.set_full();
        CommitError::Full(error)
    }

    fn set_full(&mut self) {
        self.full = Some(Full { next_probe: self.clock.monotonic().saturating_add(self.options.full_probe) });
        self.index.set_full(true);
    }

    fn poison(&mut self, operation: &'static str, error: io::Error) -> CommitError {
        self.poisoned = true;
        failed(operation, error)
    }

    /// Differs from segment to segment and from boot to boot, so that bytes of another one never pass for this one's.
    fn next_epoch(&mut self) -> u32 {
        self.epochs_made += 1;
        let seed = crc32c::crc32c(&self.options.epoch_seed.to_le_bytes());
        crc32c::crc32c_append(seed, &self.epochs_made.to_le_bytes()).max(1)
    }
}

fn failed(operation: &'static str, source: io::Error) -> CommitError {
    CommitError::Failed { operation, source }
}
