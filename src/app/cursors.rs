//! The cursors that a store has.

use uuid::Uuid;

use super::AppError;
use crate::contracts::{Progress as _, Storage};
use crate::journal::{CURSORS_DIR, StoreId};
use crate::repo::cursor_format::Slot;
use crate::repo::{CursorError, CursorFile, SinkPosition, cursor};

/// What was read of the cursors that are there, by sink: also of sinks that are not configured any more.
pub(super) struct ReadCursors<T> {
    /// Those that read well.
    pub sound: Vec<(String, T)>,
    /// Why the others do not. Whether that matters is told once the recorded sinks are known.
    damaged: Vec<(String, String)>,
}

impl<T> ReadCursors<T> {
    /// The sinks whose cursors are damaged and not recorded: leftovers, whatever is in them.
    ///
    /// # Errors
    /// The damaged cursor of a sink that is recorded.
    pub(super) fn damaged_leftovers(&self, is_recorded: impl Fn(&str) -> bool) -> Result<Vec<String>, AppError> {
        match self.damaged.iter().find(|(sink, _)| is_recorded(sink)) {
            Some((_, message)) => Err(AppError::Damaged(message.clone())),
            None => Ok(self.damaged.iter().map(|(sink, _)| sink.clone()).collect()),
        }
    }
}

/// Opens the cursors, to go on from them.
///
/// # Errors
/// One that cannot be read, or that belongs to another store or version.
pub(super) fn load_cursors(storage: &dyn Storage, store_id: StoreId) -> Result<ReadCursors<CursorFile>, AppError> {
    read_cursors(storage, |sink| CursorFile::load(storage, sink, uuid_of(store_id)))
}

/// Reads the cursors and changes nothing.
///
/// # Errors
/// As [`load_cursors`].
pub(super) fn inspect_cursors(storage: &dyn Storage, store_id: StoreId) -> Result<ReadCursors<Slot>, AppError> {
    read_cursors(storage, |sink| CursorFile::inspect_all(storage, sink, uuid_of(store_id)))
}

fn read_cursors<T>(
    storage: &dyn Storage,
    read: impl Fn(&str) -> Result<Option<T>, CursorError>,
) -> Result<ReadCursors<T>, AppError> {
    let listing = |error| AppError::of_store(format!("listing {CURSORS_DIR}: {error}"), &error);
    let mut cursors = ReadCursors { sound: Vec::new(), damaged: Vec::new() };
    for name in storage.list(CURSORS_DIR).map_err(listing)? {
        let Some(sink) = cursor::sink_of(&name) else { continue };
        match read(sink) {
            Ok(found) => cursors.sound.extend(found.map(|cursor| (sink.to_owned(), cursor))),
            Err(error @ CursorError::Damaged { .. }) => cursors.damaged.push((sink.to_owned(), error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(cursors)
}

/// The store's id as the relay knows it.
pub(super) const fn uuid_of(store_id: StoreId) -> Uuid {
    Uuid::from_bytes(*store_id.as_bytes())
}

pub(super) fn position_of(sink: &str, cursor: &CursorFile) -> SinkPosition {
    SinkPosition { path: cursor::path_of(sink), position: cursor.position() }
}
