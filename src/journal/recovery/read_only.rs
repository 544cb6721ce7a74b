//! Read-only access to a journal that another process may be writing.

use std::sync::Arc;

use crate::contracts::{Lsn, Storage};
use crate::journal::error::io_error;
use crate::journal::segment::{parse_segment_name, segment_path};
use crate::journal::segment_map::map_segments;
use crate::journal::{JOURNAL_DIR, JournalHandle, RecoveryError, StoreId};

/// What reading a journal takes that [`super::inspect`] has found to end with `last`.
///
/// # Errors
/// The segments cannot be listed.
pub fn inspect_files(storage: &Arc<dyn Storage>, store_id: StoreId, last: Lsn) -> Result<JournalHandle, RecoveryError> {
    let names = storage.list(JOURNAL_DIR).map_err(io_error("listing", JOURNAL_DIR))?;
    let index = map_segments(storage.as_ref(), store_id, &names)?;
    index.set_durable_lsn(last);
    Ok(JournalHandle { storage: Arc::clone(storage), index: Arc::new(index), store_id })
}

/// Makes durable what [`super::inspect`] has read up to `last`, beside a daemon that may still be at it: its last batch can be
/// read before it is safe from a power cut.
///
/// # Errors
/// It may not be durable, or is not there any more.
pub fn sync_up_to(storage: &dyn Storage, last: Lsn) -> Result<(), RecoveryError> {
    let names = storage.list(JOURNAL_DIR).map_err(io_error("listing", JOURNAL_DIR))?;
    // A segment is begun when everything before it is durable, so only one can hold what is not.
    let holding =
        names.iter().filter_map(|name| parse_segment_name(name)).take_while(|base_lsn| *base_lsn <= last).last();
    let Some(base_lsn) = holding else { return Ok(()) };
    let path = segment_path(base_lsn);
    let file = storage.open_read_only(&path).map_err(io_error("opening", &path))?;
    file.sync_data().map_err(io_error("syncing", &path))
}

/// The first LSN that the journal still holds.
///
/// # Errors
/// The directory cannot be listed.
pub fn oldest_lsn(storage: &dyn Storage) -> Result<Lsn, RecoveryError> {
    let names = storage.list(JOURNAL_DIR).map_err(io_error("listing", JOURNAL_DIR))?;
    Ok(names.iter().find_map(|name| parse_segment_name(name)).unwrap_or(Lsn::ZERO.next()))
}
