//! The simulated disk, with a bug before it.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use orderd::contracts::{Storage, StorageFile};

use super::Bug;
use crate::disk::SimDisk;

/// A disk that does not do all that it is asked for.
pub struct BuggyDisk {
    disk: SimDisk,
    bug: Bug,
    /// The last batch that was only pretended to be synced.
    owed: OwedSync,
}

type OwedSync = std::sync::Arc<Mutex<bool>>;

impl BuggyDisk {
    /// The disk with this bug.
    #[must_use]
    pub fn new(disk: SimDisk, bug: Bug) -> Self {
        Self { disk, bug, owed: OwedSync::default() }
    }

    fn file(
        &self,
        path: &str,
        created: bool,
        file: io::Result<Box<dyn StorageFile>>,
    ) -> io::Result<Box<dyn StorageFile>> {
        let kind = Kind::of(path);
        let file = match file {
            Ok(file) => file,
            Err(error) if self.bug == Bug::FailedOpensAreMissing && !created && is_io_error(&error) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            Err(error) => return Err(error),
        };
        let synced = AtomicBool::new(false);
        Ok(Box::new(BuggyFile { file, bug: self.bug, kind, created, synced, owed: self.owed.clone() }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NewStore,
    Segment,
    Cursor,
    Checkpoint,
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        match path {
            _ if path.starts_with("store.tmp") => Self::NewStore,
            _ if path.contains(".wal") => Self::Segment,
            _ if path.contains(".cursor") => Self::Cursor,
            _ if path.contains(".ckpt") => Self::Checkpoint,
            _ => Self::Other,
        }
    }
}

fn is_io_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(5)
}

fn is_no_room(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

impl Storage for BuggyDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.file(path, false, self.disk.open(path))
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.file(path, false, self.disk.open_read_only(path))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.file(path, true, self.disk.create(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        match self.disk.list(path) {
            Err(error) if self.bug == Bug::FailedListsAreEmpty && is_io_error(&error) => Ok(Vec::new()),
            listed => listed,
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let dropped = match self.bug {
            Bug::NoDirSyncOfStoreName => path.is_empty(),
            Bug::NoDirSyncOfNewStores => path.starts_with("store.tmp"),
            Bug::NoDirSyncOfJournal => path == "store/journal",
            Bug::NoDirSyncOfCheckpoints => path == "store/checkpoints",
            Bug::NoDirSyncOfCursors => path == "store/cursors",
            _ => false,
        };
        if dropped {
            return Ok(());
        }
        match self.disk.sync_dir(path) {
            Err(error) if self.bug == Bug::FailedDirSyncsIgnored && is_io_error(&error) => Ok(()),
            synced => synced,
        }
    }
}

struct BuggyFile {
    file: Box<dyn StorageFile>,
    bug: Bug,
    kind: Kind,
    /// By this handle; else it was there before.
    created: bool,
    /// This handle has been asked for a sync.
    synced: AtomicBool,
    owed: OwedSync,
}

impl BuggyFile {
    /// Whether this sync is not done. The first one of a created file comes before its name.
    fn drops_sync(&self) -> bool {
        let first = !self.synced.swap(true, Ordering::Relaxed);
        let new = self.created && first;
        match self.bug {
            Bug::NoSyncOfBatches => self.kind == Kind::Segment && self.created && !first,
            Bug::NoSyncOfNewSegments => self.kind == Kind::Segment && new,
            Bug::NoWriteBack => self.kind == Kind::Segment && !self.created,
            Bug::NoSyncOfNewCursors => self.kind == Kind::Cursor && new,
            Bug::NoSyncOfCursors => self.kind == Kind::Cursor && !new,
            Bug::NoSyncOfCheckpoints => self.kind == Kind::Checkpoint,
            Bug::NoSyncOfNewStores => self.kind == Kind::NewStore,
            Bug::SyncsOneBehind if self.kind == Kind::Segment && self.created && !first => {
                let mut owed = self.owed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *owed = !*owed;
                *owed
            }
            _ => false,
        }
    }
}

impl StorageFile for BuggyFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.file.read_at(buf, offset) {
            Err(error) if self.bug == Bug::FailedReadsAreEnds && is_io_error(&error) => Ok(0),
            read => read,
        }
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if self.bug == Bug::NoWriteBack && self.kind == Kind::Segment && !self.created {
            return Ok(());
        }
        match self.file.write_all_at(buf, offset) {
            Err(error) if self.bug == Bug::FailedWritesIgnored && is_io_error(&error) => Ok(()),
            Err(error) if self.bug == Bug::ShortWritesIgnored && is_no_room(&error) => Ok(()),
            written => written,
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.drops_sync() {
            return Ok(());
        }
        let mut synced = self.file.sync_data();
        if self.bug == Bug::FailedSyncsRetried {
            let tries = 10;
            for _ in 0..tries {
                if synced.as_ref().is_err_and(is_io_error) {
                    synced = self.file.sync_data();
                }
            }
        }
        match synced {
            Err(error) if self.bug == Bug::FailedSyncsIgnored && is_io_error(&error) => Ok(()),
            synced => synced,
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.bug == Bug::LengthsNotSet { Ok(()) } else { self.file.set_len(len) }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn drop_cache(&self) {
        self.file.drop_cache();
    }
}
