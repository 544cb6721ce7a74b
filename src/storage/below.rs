//! One folder of a storage as a storage of its own.

use std::io;
use std::sync::Arc;

use crate::contracts::{Storage, StorageFile};

/// What is below one folder, by paths that begin there.
pub struct Below {
    storage: Arc<dyn Storage>,
    folder: String,
}

impl Below {
    /// The folder `folder` of `storage`.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, folder: &str) -> Self {
        Self { storage, folder: folder.to_owned() }
    }

    fn path(&self, path: &str) -> String {
        if path.is_empty() { self.folder.clone() } else { format!("{}/{path}", self.folder) }
    }
}

impl Storage for Below {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.storage.open(&self.path(path))
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.storage.open_read_only(&self.path(path))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.storage.create(&self.path(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.storage.create_dir(&self.path(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.storage.list(&self.path(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(&self.path(from), &self.path(to))
    }

    fn names(&self, path: &str, file: &dyn StorageFile) -> io::Result<bool> {
        self.storage.names(&self.path(path), file)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.storage.remove(&self.path(path))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.storage.sync_dir(&self.path(path))
    }
}
