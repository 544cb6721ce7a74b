//! What writer, readers and retention know of the journal together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::StoreId;
use super::recovery_error::{RecoveryError, io_error};
use super::segment::{parse_segment_name, segment_path};
use crate::contracts::{Lsn, Storage};

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
    /// By first LSN.
    segments: Mutex<BTreeMap<Lsn, SegmentInfo>>,
}

impl SegmentMap {
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

    fn segments(&self) -> MutexGuard<'_, BTreeMap<Lsn, SegmentInfo>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, base_lsn: Lsn, info: SegmentInfo) {
        self.segments().insert(base_lsn, info);
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

    /// The first LSN of the oldest segment.
    #[must_use]
    pub fn oldest(&self) -> Option<Lsn> {
        self.segments().keys().next().copied()
    }

    /// The segments by first LSN, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<(Lsn, SegmentInfo)> {
        self.segments().iter().map(|(base_lsn, info)| (*base_lsn, *info)).collect()
    }

    /// How many there are, and what they take together.
    #[must_use]
    pub fn totals(&self) -> (usize, u64) {
        let segments = self.segments();
        (segments.len(), segments.values().map(|info| info.bytes).sum())
    }
}

/// The segments among `names`.
pub(super) fn map_segments(storage: &dyn Storage, names: &[String]) -> Result<SegmentMap, RecoveryError> {
    let index = SegmentMap::default();
    for base_lsn in names.iter().filter_map(|name| parse_segment_name(name)) {
        let path = segment_path(base_lsn);
        let file = storage.open_read_only(&path).map_err(io_error("opening", &path))?;
        index.put(base_lsn, SegmentInfo { bytes: file.len().map_err(io_error("reading", &path))? });
    }
    Ok(index)
}
