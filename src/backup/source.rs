//! What keeps a store still while it is copied: a daemon that pins it, or the lock that no daemon has.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BackupError;
use crate::contracts::Lsn;

/// Keeps what is copied, says up to where that is, and hears how far the copy is.
pub trait BackupSource {
    /// From now on nothing of the store is deleted.
    ///
    /// # Errors
    /// It cannot be kept.
    fn hold(&mut self) -> Result<(), BackupError>;

    /// The position that is copied up to: everything before it is durable. `None` if nothing changes at all.
    ///
    /// # Errors
    /// The store is not kept any more.
    fn position(&mut self) -> Result<Option<Position>, BackupError>;

    /// How many bytes there are to read, about. Nothing of them was read yet.
    fn begin(&mut self, _bytes: u64) {}

    /// Called after each part, so that whoever uses the disk meanwhile has it in between.
    ///
    /// # Errors
    /// The store is not kept any more.
    fn part_done(&mut self, part: Part) -> Result<(), BackupError>;

    /// Lets the store go. On `Ok` it was kept from `hold` until now.
    ///
    /// # Errors
    /// It was not, and the copy is worth nothing.
    fn release(&mut self) -> Result<(), BackupError>;
}

/// A part of a copy: a MiB or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Bytes that were read.
    pub bytes: u64,
    /// How long it took to read, write and sync them; `None` if they were not written, because the file is a link.
    pub written_in: Option<Duration>,
}

/// A position in a running store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last plan.
    pub lsn: Lsn,
    /// The last event.
    pub last_sequence: u64,
    /// The store's epoch.
    pub epoch: u32,
}

/// A store without a daemon: none can start while it is copied.
#[derive(Debug)]
pub struct StoppedStore {
    data_dir: PathBuf,
    lock: Option<File>,
}

impl StoppedStore {
    /// The store in `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), lock: None }
    }
}

impl BackupSource for StoppedStore {
    fn hold(&mut self) -> Result<(), BackupError> {
        let shown = self.data_dir.display().to_string();
        let directory = File::open(&self.data_dir).map_err(BackupError::io("opening", &shown))?;
        // Shared: a second backup is nobody's harm. A daemon wants it for itself alone.
        fs2::FileExt::try_lock_shared(&directory).map_err(|_| {
            BackupError::Held(format!(
                "{shown} is held by a daemon, which may still be starting: try again, or stop it"
            ))
        })?;
        self.lock = Some(directory);
        Ok(())
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        Ok(None)
    }

    /// Nobody waits for the disk.
    fn part_done(&mut self, _part: Part) -> Result<(), BackupError> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), BackupError> {
        self.lock = None;
        Ok(())
    }
}
