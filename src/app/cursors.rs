//! The cursors that a store has.

use uuid::Uuid;

use super::AppError;
use crate::contracts::{Progress as _, Storage};
use crate::journal::{CURSORS_DIR, StoreId};
use crate::repo::{CursorFile, SinkPosition, cursor};

/// The cursors that are there, also those of sinks that are not configured any more.
pub(super) fn load_cursors(storage: &dyn Storage, store_id: StoreId) -> Result<Vec<(String, CursorFile)>, AppError> {
    let mut cursors = Vec::new();
    for sink in sinks_with_cursor(storage)? {
        if let Some(cursor) = CursorFile::load(storage, &sink, uuid_of(store_id))? {
            cursors.push((sink, cursor));
        }
    }
    Ok(cursors)
}

/// The names of the sinks that have a cursor.
pub(super) fn sinks_with_cursor(storage: &dyn Storage) -> Result<Vec<String>, AppError> {
    let names =
        storage.list(CURSORS_DIR).map_err(|error| AppError::io(format!("listing {CURSORS_DIR}: {error}"), &error))?;
    Ok(names.iter().filter_map(|name| cursor::sink_of(name)).map(str::to_owned).collect())
}

/// The store's id as the relay knows it.
pub(super) const fn uuid_of(store_id: StoreId) -> Uuid {
    Uuid::from_bytes(*store_id.as_bytes())
}

pub(super) fn position_of(sink: &str, cursor: &CursorFile) -> SinkPosition {
    SinkPosition { path: cursor::path_of(sink), position: cursor.position() }
}
