//! What writer, readers and retention know of the journal together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::io_error;
use super::prepared::{PREPARED_NAME, PREPARED_PATH, PreparedSegment, used_without_name};
use super::segment::{parse_segment_name, segment_path};
use super::{RecoveryError, StoreId};
use crate::contracts::{Lsn, Storage};
use crate::telemetry::JournalMetrics;

/// What is known of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// What its file takes.
    pub bytes: u64,
}

/// All that reading the journal takes.
#[derive(Clone)]
pub struct JournalHandle {
    /// Where the files are.
    pub storage: Arc<dyn Storage>,
    /// Which there are.
    pub index: Arc<SegmentMap>,
    /// Whose they are.
    pub store_id: StoreId,
}

/// The segments that are there, and how far they are durable.
#[derive(Debug, Default)]
pub struct SegmentMap {
    durable_lsn: AtomicU64,
    checkpoint_lsn: AtomicU64,
    written_bytes: AtomicU64,
    full: AtomicBool,
    metrics: Arc<JournalMetrics>,
    /// By first LSN.
    segments: Mutex<BTreeMap<Lsn, Segment>>,
    /// The first LSN of the segment that still has the prepared one's name; 0 for none.
    unnamed: AtomicU64,
    /// The segment that was made ahead.
    prepared: Mutex<Option<PreparedSegment>>,
    /// How large a segment is needed soon; 0 for none.
    wants_prepared: AtomicU64,
    /// A sync of the journal's directory failed in maintenance: no name in it is removed or used again.
    directory_failed: AtomicBool,
}

#[derive(Debug)]
struct Segment {
    info: SegmentInfo,
    /// Where some of its frames are, ascending: a frame is found by walking from the one before it.
    marks: Vec<FrameMark>,
}

/// Where a frame is in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMark {
    /// The frame.
    pub lsn: Lsn,
    /// Its byte offset.
    pub offset: u64,
}

/// When the next frame is worth a mark: so near to each other that any frame is found by reading little, so far that the
/// marks of a large journal take little memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkPace {
    last: FrameMark,
}

impl MarkPace {
    const FRAMES: u64 = 1024;
    const BYTES: u64 = 256 << 10;

    /// Counts from a frame that is marked, or needs no mark: a segment's first.
    pub(super) const fn from(last: FrameMark) -> Self {
        Self { last }
    }

    /// Whether `frame` is to be marked; then counting goes on from it.
    pub(super) const fn take_if_due(&mut self, frame: FrameMark) -> bool {
        let frames = frame.lsn.since(self.last.lsn);
        let is_due = frames >= Self::FRAMES || frame.offset.saturating_sub(self.last.offset) >= Self::BYTES;
        if is_due {
            self.last = frame;
        }
        is_due
    }
}

impl SegmentMap {
    /// What the writer measures.
    #[must_use]
    pub fn metrics(&self) -> Arc<JournalMetrics> {
        Arc::clone(&self.metrics)
    }

    /// The last plan that is durable. Readers never pass it: what lies behind may never have happened.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        // Acquire: pairs with the release below, so that a reader that sees the LSN sees the frames up to it.
        Lsn(self.durable_lsn.load(Ordering::Acquire))
    }

    pub(super) fn set_durable_lsn(&self, lsn: Lsn) {
        self.durable_lsn.store(lsn.0, Ordering::Release);
    }

    /// The plan up to which the newest checkpoint holds everything.
    #[must_use]
    pub fn checkpoint_lsn(&self) -> Lsn {
        Lsn(self.checkpoint_lsn.load(Ordering::Relaxed))
    }

    /// Notes a new checkpoint.
    pub fn set_checkpoint_lsn(&self, lsn: Lsn) {
        self.checkpoint_lsn.store(lsn.0, Ordering::Relaxed);
    }

    /// How many bytes of plans this process has read back or written: what a restart would have to read again grows
    /// with it.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add_written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether the journal has no room for plans.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Where the segment that begins with `base_lsn` is.
    #[must_use]
    pub fn path_of(&self, base_lsn: Lsn) -> String {
        if self.unnamed() == Some(base_lsn) { PREPARED_PATH.to_owned() } else { segment_path(base_lsn) }
    }

    pub(super) fn unnamed(&self) -> Option<Lsn> {
        Some(Lsn(self.unnamed.load(Ordering::Relaxed))).filter(|base_lsn| *base_lsn > Lsn::ZERO)
    }

    /// Takes in the segment that still has the prepared one's name.
    pub(super) fn put_unnamed(&self, base_lsn: Lsn, bytes: u64) {
        self.put(base_lsn, SegmentInfo { bytes });
        self.unnamed.store(base_lsn.0, Ordering::Relaxed);
    }

    pub(super) fn set_named(&self) {
        self.unnamed.store(0, Ordering::Relaxed);
    }

    fn prepared(&self) -> MutexGuard<'_, Option<PreparedSegment>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put_prepared(&self, prepared: PreparedSegment) {
        *self.prepared() = Some(prepared);
    }

    /// The segment that was made ahead, if there is one; another is made when it is wanted.
    pub(super) fn take_prepared(&self) -> Option<PreparedSegment> {
        let taken = self.prepared().take();
        self.forgo_prepared();
        taken
    }

    /// How large a segment is to be made ahead; none while there is one, or it is not needed soon.
    pub(super) fn wants_prepared(&self) -> Option<u64> {
        let bytes = self.wants_prepared.load(Ordering::Relaxed);
        (bytes > 0 && self.prepared().is_none()).then_some(bytes)
    }

    pub(super) fn want_prepared(&self, bytes: u64) {
        self.wants_prepared.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn forgo_prepared(&self) {
        self.want_prepared(0);
    }

    /// Whether what the journal's directory says may be lost.
    #[must_use]
    pub fn directory_failed(&self) -> bool {
        self.directory_failed.load(Ordering::Relaxed)
    }

    /// Notes that a sync of the journal's directory failed.
    pub fn set_directory_failed(&self) {
        self.directory_failed.store(true, Ordering::Relaxed);
    }

    fn segments(&self) -> MutexGuard<'_, BTreeMap<Lsn, Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, base_lsn: Lsn, info: SegmentInfo) {
        self.segments().entry(base_lsn).or_insert_with(|| Segment { info, marks: Vec::new() }).info = info;
    }

    /// Forgets a segment that was deleted.
    pub fn forget(&self, base_lsn: Lsn) {
        self.segments().remove(&base_lsn);
    }

    /// The first LSN of the segment that holds `lsn`, or would if it were there.
    #[must_use]
    pub fn segment_holding(&self, lsn: Lsn) -> Option<Lsn> {
        self.segments().range(..=lsn).next_back().map(|(base_lsn, _)| *base_lsn)
    }

    /// Notes where frames of a segment are; those that are known already change nothing.
    pub(super) fn mark(&self, base_lsn: Lsn, marks: &[FrameMark]) {
        let mut segments = self.segments();
        let Some(segment) = segments.get_mut(&base_lsn) else { return };
        for mark in marks {
            if let Err(at) = segment.marks.binary_search_by_key(&mark.lsn, |known| known.lsn) {
                segment.marks.insert(at, *mark);
            }
        }
    }

    /// The last frame of a segment at or before `lsn` whose place is known; `None` if there is none.
    pub(super) fn mark_before(&self, base_lsn: Lsn, lsn: Lsn) -> Option<FrameMark> {
        let segments = self.segments();
        let marks = &segments.get(&base_lsn)?.marks;
        marks.get(marks.partition_point(|mark| mark.lsn <= lsn).checked_sub(1)?).copied()
    }

    /// The first LSN of the oldest segment.
    #[must_use]
    pub fn oldest(&self) -> Option<Lsn> {
        self.segments().keys().next().copied()
    }

    /// The first LSN of the newest segment.
    fn newest(&self) -> Option<Lsn> {
        self.segments().keys().next_back().copied()
    }

    /// The segments by first LSN, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<(Lsn, SegmentInfo)> {
        self.segments().iter().map(|(base_lsn, segment)| (*base_lsn, segment.info)).collect()
    }

    /// How many there are, and what they take together with the one that was made ahead.
    #[must_use]
    pub fn totals(&self) -> (usize, u64) {
        let prepared = self.prepared().as_ref().map_or(0, |prepared| prepared.capacity);
        let segments = self.segments();
        let bytes: u64 = segments.values().map(|segment| segment.info.bytes).sum();
        (segments.len(), bytes.saturating_add(prepared))
    }
}

/// The segments among `names`.
pub(super) fn map_segments(
    storage: &dyn Storage,
    store_id: StoreId,
    names: &[String],
) -> Result<SegmentMap, RecoveryError> {
    let index = SegmentMap::default();
    for base_lsn in names.iter().filter_map(|name| parse_segment_name(name)) {
        let path = segment_path(base_lsn);
        let file = storage.open_read_only(&path).map_err(io_error("opening", &path))?;
        index.put(base_lsn, SegmentInfo { bytes: file.len().map_err(io_error("reading", &path))? });
    }
    if names.iter().any(|name| name == PREPARED_NAME)
        && let Some(base_lsn) = used_without_name(storage, store_id, index.newest())?
    {
        let file = storage.open_read_only(PREPARED_PATH).map_err(io_error("opening", PREPARED_PATH))?;
        index.put_unnamed(base_lsn, file.len().map_err(io_error("reading", PREPARED_PATH))?);
    }
    Ok(index)
}
