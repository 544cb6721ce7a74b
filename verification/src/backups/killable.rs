//! The disk as a program sees it that may be killed at any call.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use orderd::contracts::{EntryKind, Folders, Storage, StorageFile};

use crate::disk::SimDisk;

/// A disk that does nothing more after a number of calls: whoever made them is dead, and removes nothing any more.
#[derive(Clone)]
pub struct KillableDisk {
    disk: SimDisk,
    left: Arc<Mutex<Option<u64>>>,
}

impl KillableDisk {
    /// A program that dies after `calls`; `None` never.
    #[must_use]
    pub fn new(disk: SimDisk, calls: Option<u64>) -> Self {
        Self { disk, left: Arc::new(Mutex::new(calls)) }
    }

    /// Whether it is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    fn live(&self) -> io::Result<&SimDisk> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.as_mut() {
            None => Ok(&self.disk),
            Some(0) => Err(io::Error::other("the program was killed")),
            Some(left) => {
                *left -= 1;
                Ok(&self.disk)
            }
        }
    }

    fn file(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(KillableFile { disk: self.clone(), file })
    }
}

impl Storage for KillableDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.live()?.open(path).map(|file| self.file(file))
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.live()?.open_read_only(path).map(|file| self.file(file))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.live()?.create(path).map(|file| self.file(file))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.live()?.create_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.live()?.list(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.live()?.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.live()?.remove(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.live()?.sync_dir(path)
    }
}

impl Folders for KillableDisk {
    fn kind(&self, path: &str) -> io::Result<Option<EntryKind>> {
        self.live()?.kind(path)
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.live()?.make_folder(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.live()?.remove_folder(path)
    }

    fn clone_file(&self, from: &str, to: &str) -> io::Result<()> {
        self.live()?.clone_file(from, to)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.live()?.link(from, to)
    }

    fn give_to_owner_of(&self, like: &str, path: &str) -> io::Result<()> {
        self.live()?.give_to_owner_of(like, path)
    }
}

struct KillableFile {
    disk: KillableDisk,
    file: Box<dyn StorageFile>,
}

impl StorageFile for KillableFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.live()?;
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.disk.live()?;
        self.file.write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.live()?;
        self.file.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.live()?;
        self.file.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.live()?;
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.live()?;
        self.file.len()
    }

    fn drop_cache(&self) {
        self.file.drop_cache();
    }
}
