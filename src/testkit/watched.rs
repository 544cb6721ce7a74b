//! Files in memory that tell what was called, and fail where they are told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Memory, STORE_ID};
use crate::contracts::{Storage, StorageFile};
use crate::journal::{TEMPORARY_SUFFIX, create_store};

/// Clones are the same one.
#[derive(Clone, Default)]
pub struct Watched {
    /// The files.
    pub memory: Memory,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    /// The beginnings of the calls that fail, and how.
    fails: Vec<(String, io::ErrorKind)>,
    /// How many calls from now on one fails, and how.
    fails_once: Option<(usize, io::ErrorKind)>,
    /// The most that a file can be allocated.
    room: Option<u64>,
}

impl Watched {
    /// A new store.
    pub fn new() -> Self {
        Self::with(&BTreeMap::new(), true)
    }

    /// A data directory without a store.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A store with these files.
    pub fn of(files: &BTreeMap<String, Vec<u8>>) -> Self {
        Self::with(files, false)
    }

    fn with(files: &BTreeMap<String, Vec<u8>>, new: bool) -> Self {
        let memory = Memory::with(files);
        if new {
            create_store(&memory, STORE_ID).unwrap();
        }
        Self { memory, state: Arc::default() }
    }

    /// Calls that begin so fail from now on.
    pub fn fail(&self, call: &str, kind: io::ErrorKind) {
        self.locked().fails.push((call.to_owned(), kind));
    }

    /// The call after `calls` more ones fails, and only that.
    pub fn fail_after(&self, calls: usize, kind: io::ErrorKind) {
        self.locked().fails_once = Some((calls, kind));
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        let mut state = self.locked();
        state.fails.clear();
        state.room = None;
    }

    /// No file can be allocated more than this.
    pub fn set_room(&self, room: u64) {
        self.locked().room = Some(room);
    }

    /// What was called since this was asked last, such as `write store/identity 0+32`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.locked().calls)
    }

    /// Those of the calls since this was asked last that begin so.
    pub fn calls_of(&self, beginning: &str) -> Vec<String> {
        self.calls().into_iter().filter(|call| call.starts_with(beginning)).collect()
    }

    /// Verbs and paths of the calls since this was asked last, such as `write store/identity`.
    pub fn verbs(&self) -> Vec<String> {
        let verb = |call: String| call.split(' ').take(2).collect::<Vec<_>>().join(" ");
        self.calls().into_iter().map(verb).collect()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn call(&self, call: String) -> io::Result<()> {
        let mut state = self.locked();
        let failure = state.fails.iter().find(|(beginning, _)| call.starts_with(beginning)).map(|(_, kind)| *kind);
        let once = match &mut state.fails_once {
            Some((0, kind)) => Some(*kind),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if once.is_some() {
            state.fails_once = None;
        }
        state.calls.push(call);
        failure.or(once).map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn watch(&self, path: &str, file: io::Result<Box<dyn StorageFile>>) -> io::Result<Box<dyn StorageFile>> {
        // A new file has its name soon enough.
        let path = path.trim_end_matches(TEMPORARY_SUFFIX).to_owned();
        Ok(Box::new(WatchedFile { watched: self.clone(), path, file: file? }))
    }
}

impl Storage for Watched {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.call(format!("open {path}"))?;
        self.watch(path, self.memory.open(path))
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.call(format!("open_read_only {path}"))?;
        self.watch(path, self.memory.open_read_only(path))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.call(format!("create {path}"))?;
        self.watch(path, self.memory.create(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.call(format!("create_dir {path}"))?;
        self.memory.create_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.call(format!("list {path}"))?;
        self.memory.list(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call(format!("rename {to}"))?;
        self.memory.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.call(format!("remove {path}"))?;
        self.memory.remove(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.call(format!("sync_dir {path}"))?;
        self.memory.sync_dir(path)
    }
}

struct WatchedFile {
    watched: Watched,
    path: String,
    file: Box<dyn StorageFile>,
}

impl StorageFile for WatchedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.watched.call(format!("read {} {offset}+{}", self.path, buf.len()))?;
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.watched.call(format!("write {} {offset}+{}", self.path, buf.len()))?;
        self.file.write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.watched.call(format!("sync {}", self.path))?;
        self.file.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.watched.call(format!("allocate {} {len}", self.path))?;
        let room = self.watched.locked().room;
        if room.is_some_and(|room| len > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watched.call(format!("set_len {} {len}", self.path))?;
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn drop_cache(&self) {}
}
