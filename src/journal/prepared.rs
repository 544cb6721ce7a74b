//! The next segment, made ahead by maintenance: reserved, synced and under a durable name of its own, so that the change
//! to it costs the executor no allocation and no sync of a directory.
//!
//! ```text
//! next.prepared    the last segment if a link leads to it or a plan is in it, whatever it is called; otherwise unused
//! ```
//!
//! Its header alone says nothing: after a failed sync it may be in the page cache and not on the medium. Its sync has
//! succeeded before the segment before it gets its link, and the link's before a plan is written. So a link or a plan,
//! wherever it is read from, shows that the header is durable; and a `next.prepared` with neither never held a plan.

use std::fmt;
use std::io;

use super::error::{damaged, io_error};
use super::file_header::HeaderError;
use super::format::{FRAME_BODY_BYTES_MAX, FRAME_HEADER_LEN, SEGMENT_HEADER_LEN, SegmentHeader};
use super::scan::{Scan, Step};
use super::segment::{CreateError, NewSegment, is_no_room, segment_path};
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
        // 1. It holds no plan, and says where the segment before it ends. If this fails, nothing ever leads to it.
        if let Err(error) = self.file.write_all_at(&header.encode(), 0) {
            if is_no_room(&error) {
                discard(storage, self);
                return Err(CreateError::NotNow(error));
            }
            return Err(CreateError::Failed("header of a segment", error));
        }
        self.file.sync_data().map_err(failed("sync of a segment's header"))?;
        // 2. Its name need not be durable now: by the link to it, recovery knows it under the old one, too. The next one is
        //    made only when it is.
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

/// The first LSN of the segment that still has the prepared one's name although it holds plans; none if there is none.
///
/// It is the last: it begins after `newest_named`, the last one with a name of its own. What is read of one that is not
/// had been in the room before it was this file's: a power cut came between its reservation and its sync.
///
/// # Errors
/// It cannot be read, is another store's, or was written by a newer version.
pub(super) fn used_without_name(
    storage: &dyn Storage,
    store_id: StoreId,
    newest_named: Option<Lsn>,
) -> Result<Option<Lsn>, RecoveryError> {
    let Some(base_lsn) = prepared_base(storage, store_id)? else { return Ok(None) };
    if newest_named.is_some_and(|newest| base_lsn <= newest) {
        return Ok(None);
    }
    let begin = read_begin(storage, SEGMENT_HEADER_LEN + FRAME_HEADER_LEN + FRAME_BODY_BYTES_MAX)?;
    let has_plan = SegmentHeader::decode(&begin)
        .is_ok_and(|header| matches!(Scan::new(&header, &begin).step(), Step::Plan { .. } | Step::Unknown(_)));
    Ok(has_plan.then_some(base_lsn))
}

/// The first LSN that the header in the prepared segment's file names, used or not; none if there is no such header.
///
/// # Errors
/// It cannot be read, is another store's, or was written by a newer version.
pub fn prepared_base(storage: &dyn Storage, store_id: StoreId) -> Result<Option<Lsn>, RecoveryError> {
    match SegmentHeader::decode(&read_begin(storage, SEGMENT_HEADER_LEN)?) {
        Err(HeaderError::Damaged) => Ok(None),
        Err(error @ (HeaderError::Version(_) | HeaderError::Features(_))) => {
            Err(RecoveryError::Version { path: PREPARED_PATH.to_owned(), problem: format!("the segment {error}") })
        }
        Ok(header) if header.store_id != store_id => {
            let problem = format!("it belongs to store {}, not to {store_id}", header.store_id);
            Err(damaged(PREPARED_PATH, 0, problem))
        }
        Ok(header) => Ok(Some(header.base_lsn)),
    }
}

/// The first bytes of the prepared segment's file, as far as they are there; none if the file is not.
fn read_begin(storage: &dyn Storage, len: usize) -> Result<Vec<u8>, RecoveryError> {
    let mut bytes = vec![0; len];
    match storage.open_read_only(PREPARED_PATH).and_then(|file| file.read_at(&mut bytes, 0)) {
        Ok(read) => bytes.truncate(read),
        // A daemon may have given it its name.
        Err(error) if error.kind() == io::ErrorKind::NotFound => bytes.clear(),
        Err(error) => return Err(io_error("reading", PREPARED_PATH)(error)),
    }
    Ok(bytes)
}
