//! One sink's cursor: how far it has acknowledged the outbox, in a file that is never half-written.
//!
//! The file has two slots and never changes its length. A save overwrites the slot of the older save and syncs it, so
//! the newer one stands untouched until the save is durable: a crash at any moment leaves one whole slot at least.
//! A save needs no new room on the disk, so a full disk does not stop the relay.
//!
//! One unreadable slot is what a crash in a save leaves behind, whatever its bytes are: a power cut may leave old,
//! new, mixed, zero or arbitrary bytes in the sectors that were being written. The other slot is then taken. If the
//! unreadable one was in truth the newer and was damaged at rest, the events of one save are delivered again, which
//! consumers must expect anyway. Nothing that the other slot needs may have been deleted: see [`SavedPosition`].
//! What a crash cannot leave behind is refused: two unreadable slots, a slot in the other's place, two slots that do
//! not follow each other, another length.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::cursor_format::{self, Defect, FILE_BYTES, Owner, SLOT_BYTES, Slot};
use super::journal_position::{JournalPosition, lsn_of};
use crate::contracts::{
    FeedPosition, Lsn, Progress, ProgressDetails, ProgressError, ProgressKind, Sequence, Storage, StorageFile,
};

/// The folder of the cursors, below the data directory.
pub const FOLDER: &str = "store/cursors";
const SUFFIX: &str = ".cursor";

/// What stands between a sink's name and a replay's id; no sink's name holds a dot.
const REPLAY: &str = ".replay-";

/// The path of a sink's cursor, from the store's root.
#[must_use]
pub fn path_of(sink: &str) -> String {
    format!("{FOLDER}/{sink}{SUFFIX}")
}

/// The sink whose cursor has this file name; `None` for any other file.
#[must_use]
pub fn sink_of(file_name: &str) -> Option<&str> {
    file_name.strip_suffix(SUFFIX).filter(|sink| !sink.is_empty() && !sink.contains('.'))
}

/// What a replay's cursor is called in place of a sink's name.
#[must_use]
pub fn replay_name(sink: &str, replay_id: Uuid) -> String {
    format!("{sink}{REPLAY}{}", replay_id.hyphenated())
}

/// The sink and the replay whose cursor has this file name; `None` for any other file.
#[must_use]
pub fn replay_of(file_name: &str) -> Option<(&str, Uuid)> {
    let (sink, replay_id) = file_name.strip_suffix(SUFFIX)?.split_once(REPLAY)?;
    Some((sink, Uuid::try_parse(replay_id).ok()?))
}

/// An open cursor.
pub struct CursorFile {
    file: Handle,
    path: String,
    owner: Owner,
    newest: Slot,
    saved: Arc<SavedPosition>,
}

enum Handle {
    Open(Box<dyn StorageFile>),
    /// The file is made by the sink's registration, before the first save.
    NotYet(Arc<dyn Storage>),
}

impl Handle {
    fn open(&mut self, path: &str) -> Result<&dyn StorageFile, ProgressError> {
        let not_there = |error: io::Error| ProgressError::TryAgain(format!("open {path}: {error}"));
        if let Self::NotYet(storage) = self {
            *self = Self::Open(storage.open(path).map_err(not_there)?);
        }
        match self {
            Self::Open(file) => Ok(&**file),
            Self::NotYet(_) => Err(not_there(io::ErrorKind::NotFound.into())),
        }
    }
}

/// What the journal must keep for a cursor.
///
/// It is the position of the *older* of its two slots: if the newer one is found damaged, the older one counts again,
/// and what it points to must still be there.
#[derive(Debug, Default)]
pub struct SavedPosition {
    lsn: AtomicU64,
}

impl SavedPosition {
    /// Every plan from this one on, itself included, may still be needed.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        Lsn(self.lsn.load(Ordering::Acquire))
    }

    fn set(&self, position: &FeedPosition) {
        self.lsn.store(lsn_of(position).0, Ordering::Release);
    }
}

/// Why a cursor cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// Its bytes are not what was written. It is never taken for a new one: that would deliver everything again, or
    /// nothing.
    #[error("{path}: damaged at offset {offset}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// It belongs to another store.
    #[error("{path}: belongs to the store {found}, not to {expected}")]
    WrongStore {
        /// The file.
        path: String,
        /// Whose it is.
        found: Uuid,
        /// Whose it should be.
        expected: Uuid,
    },
    /// An orderd of another version wrote it.
    #[error("{path}: has format version {version}; this orderd knows {known}", known = cursor_format::VERSION)]
    OtherFormat {
        /// The file.
        path: String,
        /// Its version.
        version: u16,
    },
    /// The system refused.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed, as a verb.
        operation: &'static str,
        /// On what.
        path: String,
        /// The underlying error.
        source: io::Error,
    },
}

impl CursorError {
    /// Whether there was no room for a new cursor.
    #[must_use]
    pub fn is_no_room(&self) -> bool {
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        matches!(self, Self::Io { operation: "create" | "write" | "rename", source, .. } if kinds.contains(&source.kind()))
    }
}

impl CursorFile {
    /// Opens the cursor of `sink`; `None` if it never had one.
    ///
    /// What a process that died may have left unsynced is synced before it is read, so that nothing is decided on
    /// bytes which a power cut could still take back.
    ///
    /// # Errors
    /// See [`CursorError`]; the file is left as it was.
    pub fn load(storage: &dyn Storage, sink: &str, store_id: Uuid) -> Result<Option<Self>, CursorError> {
        let (path, owner) = (path_of(sink), Owner::new(store_id, sink));
        let file = match storage.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CursorError::Io { operation: "open", path, source }),
        };
        file.sync_data().map_err(|source| CursorError::Io { operation: "sync", path: path.clone(), source })?;
        file.drop_cache();
        let (newest, oldest_needed) = read(&*file, &path, sink, store_id)?;
        // The newest slot reads well, but after a failed sync and a kill it may exist in the page cache only, and the
        // next save would go over the one slot that the medium has. The same bytes to the same place, synced, make
        // sure of it; torn in the middle they are still the same.
        file.write_all_at(&newest.encode(owner), newest.offset()).map_err(|source| CursorError::Io {
            operation: "write back",
            path: path.clone(),
            source,
        })?;
        file.sync_data().map_err(|source| CursorError::Io { operation: "sync", path: path.clone(), source })?;
        let saved = Arc::new(SavedPosition::default());
        saved.set(&oldest_needed);
        Ok(Some(Self { file: Handle::Open(file), path, owner, newest, saved }))
    }

    /// Reads the cursor of `sink` and changes nothing; `None` if it never had one.
    ///
    /// # Errors
    /// See [`CursorError`].
    pub fn inspect(storage: &dyn Storage, sink: &str, store_id: Uuid) -> Result<Option<FeedPosition>, CursorError> {
        Ok(Self::inspect_all(storage, sink, store_id)?.map(|slot| slot.position))
    }

    /// The same, with all that was saved.
    ///
    /// # Errors
    /// See [`CursorError`].
    pub fn inspect_all(storage: &dyn Storage, sink: &str, store_id: Uuid) -> Result<Option<Slot>, CursorError> {
        let path = path_of(sink);
        match storage.open_read_only(&path) {
            Ok(file) => Ok(Some(read(&*file, &path, sink, store_id)?.0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CursorError::Io { operation: "open", path, source }),
        }
    }

    /// Makes a cursor for a new sink, which begins after `position`. It is durable on return, so that a restart does
    /// not decide again where the sink begins.
    ///
    /// # Errors
    /// [`CursorError::Io`]; then there is no cursor, or this one.
    pub fn create(
        storage: &dyn Storage,
        sink: &str,
        store_id: Uuid,
        position: FeedPosition,
    ) -> Result<Self, CursorError> {
        Self::create_with(storage, sink, store_id, position, ProgressDetails::default())
    }

    /// As [`CursorFile::create`], for a snapshot or a replay.
    ///
    /// # Errors
    /// As there.
    pub fn create_with(
        storage: &dyn Storage,
        sink: &str,
        store_id: Uuid,
        position: FeedPosition,
        details: ProgressDetails,
    ) -> Result<Self, CursorError> {
        let (path, owner) = (path_of(sink), Owner::new(store_id, sink));
        let temporary = format!("{path}.tmp");
        let failed = |operation, path: &str| {
            let path = path.to_owned();
            move |source| CursorError::Io { operation, path, source }
        };
        // 1. All bytes are written, so that no save will ever have to find room for them, and synced: the name must
        //    never stand for a file that a power cut could leave short.
        // 2. The rename makes the file appear whole or not at all.
        // 3. The folder is synced, or a power cut could take the file away again after the first save.
        let newest = Slot { generation: 1, position, details };
        let oldest = Slot { generation: 0, ..newest.clone() };
        let bytes = [oldest.encode(owner), newest.encode(owner)].concat();
        let file = storage.create(&temporary).map_err(failed("create", &temporary))?;
        file.write_all_at(&bytes, 0).map_err(failed("write", &temporary))?;
        file.sync_data().map_err(failed("sync", &temporary))?;
        storage.rename(&temporary, &path).map_err(failed("rename", &temporary))?;
        storage.sync_dir(FOLDER).map_err(failed("sync", FOLDER))?;
        let saved = Arc::new(SavedPosition::default());
        saved.set(&position);
        Ok(Self { file: Handle::Open(file), path, owner, newest, saved })
    }

    /// The cursor of a new sink for which there is no room yet: [`CursorFile::create`] makes its file later, and nothing
    /// is saved before.
    #[must_use]
    pub fn planned(
        storage: Arc<dyn Storage>,
        sink: &str,
        store_id: Uuid,
        position: FeedPosition,
        details: ProgressDetails,
    ) -> Self {
        let (path, owner) = (path_of(sink), Owner::new(store_id, sink));
        let newest = Slot { generation: 1, position, details };
        let saved = Arc::new(SavedPosition::default());
        saved.set(&position);
        Self { file: Handle::NotYet(storage), path, owner, newest, saved }
    }

    /// Compares what was read with the store: `last` is its last durable event, `epoch` the present one.
    ///
    /// # Errors
    /// [`CursorError::Damaged`] if the cursor speaks of events that are not there, or of an epoch to come.
    pub fn check(&self, last: Sequence, epoch: u32) -> Result<(), CursorError> {
        let Slot { position, details, .. } = &self.newest;
        let farthest = match details.kind {
            ProgressKind::Live | ProgressKind::Replay => details.window.settled().last().unwrap_or(0),
            ProgressKind::Snapshot => 0,
        };
        let reason = match () {
            () if position.sequence.plus(farthest) > last => "it speaks of events that the journal does not have",
            () if position.epoch > epoch => "it was saved in an epoch that the store has not reached",
            () => return Ok(()),
        };
        Err(CursorError::Damaged { path: self.path.clone(), offset: self.newest.offset(), reason })
    }

    /// What retention must keep for this cursor, now and after every save.
    #[must_use]
    pub fn saved(&self) -> Arc<SavedPosition> {
        Arc::clone(&self.saved)
    }
}

impl Progress for CursorFile {
    fn position(&self) -> FeedPosition {
        self.newest.position
    }

    fn details(&self) -> &ProgressDetails {
        &self.newest.details
    }

    fn save(&mut self, position: FeedPosition, details: ProgressDetails) -> Result<(), ProgressError> {
        let next = Slot { generation: self.newest.generation.saturating_add(1), position, details };
        let file = self.file.open(&self.path)?;
        let path = &self.path;
        // Nothing was synced, and the newest save stands.
        let not_written = |error| ProgressError::TryAgain(format!("write {path}: {error}"));
        file.write_all_at(&next.encode(self.owner), next.offset()).map_err(not_written)?;
        file.sync_data().map_err(|error| ProgressError::Unknown(format!("sync {path}: {error}")))?;
        // Only now: before the sync, the slot that this one replaces could still be the one to come back.
        self.saved.set(&self.newest.position);
        self.newest = next;
        Ok(())
    }

    /// Whether a slot keeps a segment of the journal that is not needed from `position` on: a full journal would stay full
    /// for a sink that has nothing more to do.
    fn keeps_too_much(&self, position: &FeedPosition) -> bool {
        // Before the first plan there is no segment.
        self.saved.lsn().max(Lsn::ZERO.next()) < JournalPosition::from(*position).first_needed()
    }
}

/// The newest slot, and the position from which the journal is still needed.
fn read(file: &dyn StorageFile, path: &str, sink: &str, store_id: Uuid) -> Result<(Slot, FeedPosition), CursorError> {
    let failed = |source| CursorError::Io { operation: "read", path: path.to_owned(), source };
    // One byte more than there should be, so that a longer file is noticed.
    let mut bytes = [0; FILE_BYTES + 1];
    let count = file.read_at(&mut bytes, 0).map_err(failed)?;
    let bytes = bytes.get(..count).unwrap_or_default();
    let slots = cursor_format::decode(bytes, Owner::new(store_id, sink)).map_err(|defect| match defect {
        Defect::WrongSink => {
            CursorError::Damaged { path: path.to_owned(), offset: 0, reason: "it is the cursor of another sink" }
        }
        Defect::Damaged { offset, reason } => CursorError::Damaged { path: path.to_owned(), offset, reason },
        Defect::WrongStore(found) => CursorError::WrongStore { path: path.to_owned(), found, expected: store_id },
        Defect::OtherFormat(version) => CursorError::OtherFormat { path: path.to_owned(), version },
    })?;
    if let Some(index) = slots.torn {
        let offset = index * SLOT_BYTES;
        tracing::warn!(
            path,
            offset,
            "one slot of the cursor is unreadable, as after a crash in a save: using the other"
        );
    }
    let oldest_needed = slots.older.as_ref().unwrap_or(&slots.newest).position;
    Ok((slots.newest, oldest_needed))
}

/// Removes the cursor of a replay that has ended, or of a sink that was forgotten. One that is not there is removed.
///
/// # Errors
/// [`CursorError::Io`]; then it may still be there.
pub fn remove(storage: &dyn Storage, name: &str) -> Result<(), CursorError> {
    let path = path_of(name);
    match storage.remove(&path) {
        Ok(()) => storage.sync_dir(FOLDER).map_err(|source| CursorError::Io {
            operation: "sync",
            path: FOLDER.to_owned(),
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CursorError::Io { operation: "remove", path, source }),
    }
}

#[cfg(test)]
#[path = "cursor_test.rs"]
mod tests;
