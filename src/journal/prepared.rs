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

use super::error::{damaged, io_error};
use super::file_header::HeaderError;
use super::format::SegmentHeader;
use super::segment::{CreateError, NewSegment, read_header, segment_path};
use super::{RecoveryError, StoreId};
use crate::contracts::{Lsn, Storage, StorageFile};

/// Its name while nobody uses it.
pub const PREPARED_NAME: &str = "next.prepared";
/// Its path then.
pub const PREPARED_PATH: &str = "store/journal/next.prepared";

/// A segment that nobody uses yet.
pub struct PreparedSegment {
    pub(super) file: Box<dyn StorageFile>,
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
        Err(HeaderError::Damaged) => Ok(None),
        Err(error @ (HeaderError::Version(_) | HeaderError::Features(_))) => {
            Err(RecoveryError::Version { path: PREPARED_PATH.to_owned(), problem: format!("the segment {error}") })
        }
        Ok(header) if header.store_id != store_id => {
            let problem = format!("it belongs to store {}, not to {store_id}", header.store_id);
            Err(damaged(PREPARED_PATH, 0, problem))
        }
        Ok(header) => Ok(Some(header.base_lsn).filter(|base_lsn| newest_named.is_none_or(|newest| newest < *base_lsn))),
    }
}
