//! What keeps a store still while it is copied: a daemon that pins it, or the lock that no daemon has.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BackupError;
use crate::contracts::Lsn;

/// Keeps what is copied, and says up to where that is.
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

    /// Called now and then during a long copy.
    ///
    /// # Errors
    /// The store is not kept any more.
    fn keep_alive(&mut self) -> Result<(), BackupError>;

    /// Called after each part of a copy that was written and synced, with how long that took: whoever uses the disk
    /// meanwhile has it in between.
    fn rest(&mut self, after: Duration);

    /// Lets the store go. On `Ok` it was kept from `hold` until now.
    ///
    /// # Errors
    /// It was not, and the copy is worth nothing.
    fn release(&mut self) -> Result<(), BackupError>;
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
        let directory = File::open(&self.data_dir).map_err(BackupError::io("opening", &self.data_dir))?;
        // Shared: a second backup is nobody's harm. A daemon wants it for itself alone.
        fs2::FileExt::try_lock_shared(&directory).map_err(|_| {
            let data_dir = self.data_dir.display();
            BackupError::Held(format!("{data_dir} is held by a daemon that does not answer; it may still be starting"))
        })?;
        self.lock = Some(directory);
        Ok(())
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        Ok(None)
    }

    fn keep_alive(&mut self) -> Result<(), BackupError> {
        Ok(())
    }

    /// Nobody waits for the disk.
    fn rest(&mut self, _after: Duration) {}

    fn release(&mut self) -> Result<(), BackupError> {
        self.lock = None;
        Ok(())
    }
}
