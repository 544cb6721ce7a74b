//! The next segment, made ahead by maintenance: reserved, synced and under a durable name of its own, so that the change
//! to it costs the executor no allocation and no sync of a directory.
//!
//! ```text
//! next.prepared    without a header while nobody uses it; with one it is the last segment, whatever it is called
//! ```
//!
//! Whether it is used is told by its header, which is durable before the segment before it gets its link, and says that it
//! is the last. So a link without a segment after it is damage, and a `next.prepared` without such a header never held a plan.

use std::fmt;
use std::io;

use super::format::{SegmentHeader, SegmentHeaderError};
use super::recovery::{RecoveryError, damaged, io_error};
use super::segment::{CreateError, NewSegment, read_header, segment_path};
use super::{JOURNAL_DIR, JournalHandle, StoreId};
use crate::contracts::{Lsn, Storage, StorageFile};

/// Its name while nobody uses it.
pub const PREPARED_NAME: &str = "next.prepared";
/// Its path then.
pub const PREPARED_PATH: &str = "store/journal/next.prepared";

/// A segment that nobody uses yet.
pub struct PreparedSegment {
    file: Box<dyn StorageFile>,
    /// How many bytes are reserved for it.
    pub capacity: u64,
}

impl fmt::Debug for PreparedSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedSegment").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl PreparedSegment {
    /// Makes it the segment of `header`. What was written before must be durable.
    pub(super) fn begin(self, storage: &dyn Storage, header: SegmentHeader) -> Result<NewSegment, CreateError> {
        let failed = |operation| move |error| CreateError::Failed(operation, error);
        // 1. From here on it is the last segment; it holds no plan, and says where the one before it ends.
        self.file.write_all_at(&header.encode(), 0).map_err(failed("header of a segment"))?;
        self.file.sync_data().map_err(failed("sync of a segment's header"))?;
        // 2. Its name need not be durable now: under the old one recovery knows it, too. The next one is made only when
        //    it is.
        storage.rename(PREPARED_PATH, &segment_path(header.base_lsn)).map_err(failed("naming of a segment"))?;
        Ok(NewSegment { file: self.file, header, capacity: self.capacity })
    }
}

/// Makes segments ahead, on whichever thread has time for it.
#[derive(Clone)]
pub struct SegmentPreparer {
    files: JournalHandle,
    bytes_max: u64,
}

impl SegmentPreparer {
    /// Segments as the writer wants them, as long as the whole journal takes no more than `bytes_max`.
    #[must_use]
    pub const fn new(files: JournalHandle, bytes_max: u64) -> Self {
        Self { files, bytes_max }
    }

    /// Makes the next segment, if it will be needed soon and there is none. Where there is no room for it, the writer
    /// finds out when it needs one.
    pub fn turn(&self) {
        let index = &self.files.index;
        let Some(capacity) = index.wants_prepared() else { return };
        let fits = index.totals().1.saturating_add(capacity) <= self.bytes_max;
        if index.is_full() || index.directory_failed() || !fits {
            return;
        }
        match self.prepare(capacity) {
            Ok(prepared) => index.put_prepared(prepared),
            Err(error) => {
                index.forgo_prepared();
                tracing::debug!(%error, "no segment could be made ahead");
            }
        }
    }

    fn prepare(&self, capacity: u64) -> io::Result<PreparedSegment> {
        let storage = self.files.storage.as_ref();
        // The crash story. A crash at any step leaves no segment of this name, or one without a header.
        // 1. The segment that had the name before has its own for good: the name is free.
        self.sync_dir()?;
        // 2. Room, which reads as zeros, and its length.
        let file = storage.create(PREPARED_PATH)?;
        if let Err(error) = file.allocate(capacity).and_then(|()| file.sync_data()) {
            // Should this fail, too, the next start does it.
            drop(storage.remove(PREPARED_PATH));
            return Err(error);
        }
        // 3. The name: the segment may be used before it has another.
        self.sync_dir()?;
        Ok(PreparedSegment { file, capacity })
    }

    fn sync_dir(&self) -> io::Result<()> {
        // After a failure a success says nothing of what was there before it: the name is not used again.
        self.files.storage.sync_dir(JOURNAL_DIR).inspect_err(|_| self.files.index.set_directory_failed())
    }
}

/// Removes a segment that nobody will use.
pub(super) fn discard(storage: &dyn Storage, prepared: PreparedSegment) {
    drop(prepared);
    if let Err(error) = storage.remove(PREPARED_PATH) {
        tracing::debug!(%error, "a segment that was made ahead is removed by the next start");
    }
}

/// The first LSN of the segment that still has the prepared one's name; none if that was never used, or is not there.
///
/// One that is used is the last: it begins after `newest_named`, the last one with a name of its own. What the header says
/// of one that is not had been in the room before it was this file's: a power cut came between its reservation and its
/// sync.
///
/// # Errors
/// It cannot be read, is another store's, or was written by a newer version.
pub fn begun_without_name(
    storage: &dyn Storage,
    store_id: StoreId,
    newest_named: Option<Lsn>,
) -> Result<Option<Lsn>, RecoveryError> {
    let header = match storage.open_read_only(PREPARED_PATH).and_then(|file| read_header(file.as_ref())) {
        // A daemon may have given it its name.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(io_error("reading", PREPARED_PATH))?,
    };
    match SegmentHeader::decode(&header) {
        Err(SegmentHeaderError::Damaged) => Ok(None),
        Err(error @ (SegmentHeaderError::Version(_) | SegmentHeaderError::Features(_))) => {
            Err(RecoveryError::Version { path: PREPARED_PATH.to_owned(), problem: error.to_string() })
        }
        Ok(header) if header.store_id != store_id => {
            let problem = format!("it belongs to store {}, not to {store_id}", header.store_id);
            Err(damaged(PREPARED_PATH, 0, problem))
        }
        Ok(header) => Ok(Some(header.base_lsn).filter(|base_lsn| newest_named.is_none_or(|newest| newest < *base_lsn))),
    }
}
