//! Files in memory, without faults. What may be lost before a sync is the simulation's business.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::contracts::{Storage, StorageFile};

/// Files by path. Directories are there if something is in them, or if they were made.
type Files = BTreeMap<String, Arc<Mutex<Vec<u8>>>>;

/// The store; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Files,
    dirs: Vec<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// A store with these files.
    pub fn with(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let memory = Self::default();
        let mut inner = locked(&memory.inner);
        for (path, bytes) in files {
            inner.files.insert(path.clone(), Arc::new(Mutex::new(bytes.clone())));
        }
        for dir in ["store", "store/journal", "store/checkpoints", "store/cursors"] {
            inner.dirs.push(dir.to_owned());
        }
        drop(inner);
        memory
    }

    /// Puts a whole file there.
    pub fn put(&self, path: &str, contents: &[u8]) {
        locked(&self.inner).files.insert(path.to_owned(), Arc::new(Mutex::new(contents.to_vec())));
    }

    /// What a file holds now.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        locked(&self.inner).files.get(path).map(|bytes| locked(bytes).clone())
    }

    /// What the files hold now.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        locked(&self.inner).files.iter().map(|(path, bytes)| (path.clone(), locked(bytes).clone())).collect()
    }
}

struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl Storage for Memory {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let bytes = locked(&self.inner).files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryFile(bytes)))
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let bytes = Arc::default();
        locked(&self.inner).files.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(Box::new(MemoryFile(bytes)))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        locked(&self.inner).dirs.push(path.to_owned());
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let inner = locked(&self.inner);
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let all = inner.files.keys().chain(&inner.dirs);
        let below = all.filter_map(|name| name.strip_prefix(&prefix)).filter_map(|rest| rest.split('/').next());
        let mut names: Vec<String> = below.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = locked(&self.inner);
        if let Some(bytes) = inner.files.remove(from) {
            inner.files.insert(to.to_owned(), bytes);
            return Ok(());
        }
        // A directory takes what is in it along.
        let moved = |path: &str| match path.strip_prefix(from) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
            Some(_) | None => path.to_owned(),
        };
        inner.files = std::mem::take(&mut inner.files).into_iter().map(|(path, bytes)| (moved(&path), bytes)).collect();
        inner.dirs = inner.dirs.iter().map(|path| moved(path)).collect();
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        locked(&self.inner).files.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for MemoryFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = locked(&self.0);
        let there = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = there.len().min(buf.len());
        buf[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = locked(&self.0);
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(buf.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(buf);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut bytes = locked(&self.0);
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        locked(&self.0).resize(len, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn drop_cache(&self) {}
}
