//! A store in memory that tells what was called, and fails where it is told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{
    Journal, JournalOptions, Recovered, RecoveryError, Redo, RedoFrame, RedoRange, StoreId, TEMPORARY_SUFFIX,
    create_store, recover,
};
use crate::contracts::{Clock, Lsn, Room, Storage, StorageFile};
use crate::domain::Timestamp;
use crate::fuzzing::memory::Memory;

pub const STORE_ID: StoreId = StoreId::from_bytes([7; 16]);
pub const ALL: RedoRange = RedoRange { after: Lsn::ZERO, must_reach: Lsn::ZERO, points: Vec::new() };

/// Clones are the same one.
#[derive(Clone)]
pub struct Watched {
    pub memory: Memory,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    /// The beginnings of the calls that fail, and how.
    fails: Vec<(String, io::ErrorKind)>,
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
        Self { memory: Memory::default(), state: Arc::default() }
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
        self.state.lock().unwrap().fails.push((call.to_owned(), kind));
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        let mut state = self.state.lock().unwrap();
        state.fails.clear();
        state.room = None;
    }

    /// No file can be allocated more than this.
    pub fn set_room(&self, room: u64) {
        self.state.lock().unwrap().room = Some(room);
    }

    /// What was called since this was asked last, such as `write store/identity 0+32`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// Those of the calls since this was asked last that begin so.
    pub fn calls_of(&self, beginning: &str) -> Vec<String> {
        self.calls().into_iter().filter(|call| call.starts_with(beginning)).collect()
    }

    fn call(&self, call: String) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let failure = state.fails.iter().find(|(beginning, _)| call.starts_with(beginning)).map(|(_, kind)| *kind);
        state.calls.push(call);
        failure.map_or(Ok(()), |kind| Err(kind.into()))
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
        let room = self.watched.state.lock().unwrap().room;
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

/// Stands still until it is told to go on.
#[derive(Debug, Clone, Default)]
pub struct SteppedClock(Arc<Mutex<Stepped>>);

#[derive(Debug, Default)]
struct Stepped {
    now: Duration,
    step: Duration,
}

impl SteppedClock {
    pub fn advance(&self, by: Duration) {
        self.0.lock().unwrap().now += by;
    }

    /// From now on it goes on by so much whenever it is read.
    pub fn pass_when_read(&self, step: Duration) {
        self.0.lock().unwrap().step = step;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).unwrap()
    }

    fn monotonic(&self) -> Duration {
        let mut clock = self.0.lock().unwrap();
        let step = clock.step;
        clock.now += step;
        clock.now
    }
}

pub const OPTIONS: JournalOptions = JournalOptions {
    segment_bytes: 64 << 10,
    bytes_max: 1 << 30,
    batch_bytes_max: 16 << 10,
    plan_bytes_max: (8 << 10) - 40,
    decisions_bytes: 0,
    full_probe: Duration::from_millis(500),
    epoch_seed: 1,
};

/// Starts as the daemon does; gives the bodies that were replayed, too.
pub fn try_start(
    storage: &Watched,
    clock: &SteppedClock,
    options: JournalOptions,
    range: RedoRange,
) -> Result<(Journal, Recovered, Vec<Vec<u8>>), RecoveryError> {
    let mut bodies = Vec::new();
    let redo: &mut Redo<'_> = &mut |frames: &[RedoFrame<'_>]| {
        bodies.extend(frames.iter().map(|frame| frame.body.to_vec()));
        Ok(())
    };
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let (journal, recovered) = recover(&storage, STORE_ID, &range, redo)?.open(Arc::new(clock.clone()), options)?;
    Ok((journal, recovered, bodies))
}

pub fn start(storage: &Watched) -> Journal {
    try_start(storage, &SteppedClock::default(), OPTIONS, ALL).unwrap().0
}

/// A plan, in a batch of its own.
pub fn append(journal: &mut Journal, body: &[u8]) {
    assert!(journal.make_room().unwrap() == Room::ForAll);
    journal.stage(body);
    journal.commit().unwrap();
}
