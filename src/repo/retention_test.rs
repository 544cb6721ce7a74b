use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::contracts::{Storage, StorageFile};
use crate::executor::Executor;
use crate::fuzzing::base::{executor, open, source, state_of, submission};
use crate::journal::{CHECKPOINTS_DIR, checkpoint_name, create_store, list_checkpoints};
use crate::repo::Store;
use crate::testkit::{Memory, STORE_ID, SteppedClock};

/// A memory that loses a part of what is written to checkpoints, and says that all is well.
#[derive(Clone)]
struct Lossy(Memory);

struct LossyFile(Box<dyn StorageFile>);

impl Storage for Lossy {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.open(path)
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.open_read_only(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = self.0.create(path)?;
        Ok(if path.contains(".ckpt") { Box::new(LossyFile(file)) } else { file })
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.0.create_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.0.list(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.0.sync_dir(path)
    }
}

impl StorageFile for LossyFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut lost = buf.to_vec();
        if let Some(last) = lost.last_mut() {
            *last ^= 1;
        }
        self.0.write_all_at(&lost, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn drop_cache(&self) {}
}

fn maintenance(storage: Arc<dyn Storage>, store: &Store) -> Maintenance {
    let files = JournalHandle { storage, index: Arc::clone(store.journal().index()), store_id: STORE_ID };
    let options = MaintenanceOptions {
        journal_bytes: u64::MAX,
        plans: u64::MAX,
        age: Duration::MAX,
        retain_bytes: 0,
        journal_bytes_max: u64::MAX,
        stop_journal_bytes: u64::MAX,
    };
    Maintenance::new(files, Arc::new(SteppedClock::default()), options, Lsn::ZERO, Arc::default())
}

fn run(executor: &mut Executor<Store>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        executor.run(&[submission(number)]).unwrap();
    }
}

fn new_store() -> (Memory, Executor<Store>) {
    let memory = Memory::with(&BTreeMap::new());
    create_store(&memory, STORE_ID).unwrap();
    let executor = executor(open(&memory, 1, None).unwrap().0);
    (memory, executor)
}

#[test]
fn the_older_checkpoint_is_enough_when_the_newer_does_not_read() {
    let (memory, mut executor) = new_store();
    let mut maintenance = maintenance(Arc::new(memory.clone()), executor.store());
    for round in 0..3 {
        run(&mut executor, round * 60..round * 60 + 60);
        let store = executor.store();
        maintenance.checkpoint(&mut source(store)).unwrap();
        maintenance.turn(&mut source(store));
    }
    let state = state_of(executor.store().state());
    let oldest = executor.store().journal().index().oldest().unwrap();
    assert!(oldest > Lsn(1), "nothing was deleted");
    drop(executor);
    let [newest, older] = list_checkpoints(&memory).unwrap()[..] else { panic!("two are kept") };
    assert!(oldest <= older.next());
    let path = format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(newest));
    memory.open(&path).unwrap().write_all_at(&[0xff; 8], 68).unwrap();
    let (store, report) = open(&memory, 2, None).unwrap();
    assert_eq!((report.checkpoint_lsn, report.damaged_checkpoints.len()), (older, 1));
    assert_eq!(state_of(store.state()), state);
}

#[test]
fn where_no_checkpoint_reads_and_the_journal_is_not_whole_the_checkpoint_is_named() {
    let (memory, mut executor) = new_store();
    let mut maintenance = maintenance(Arc::new(memory.clone()), executor.store());
    for round in 0..3 {
        run(&mut executor, round * 60..round * 60 + 60);
        maintenance.checkpoint(&mut source(executor.store())).unwrap();
        maintenance.turn(&mut source(executor.store()));
    }
    drop(executor);
    let paths: Vec<_> = list_checkpoints(&memory).unwrap();
    let paths: Vec<_> = paths.iter().map(|lsn| format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(*lsn))).collect();
    for path in &paths {
        memory.open(path).unwrap().write_all_at(&[0xff; 8], 68).unwrap();
    }
    let before = memory.files();
    let refused = open(&memory, 2, None).map(drop).unwrap_err().to_string();
    assert!(refused.starts_with(&format!("{}: damaged at offset 64", paths[0])), "{refused}");
    assert_eq!(memory.files(), before);
}

#[test]
fn a_checkpoint_that_does_not_read_back_takes_no_older_ones_place() {
    let (memory, mut executor) = new_store();
    let mut good = maintenance(Arc::new(memory.clone()), executor.store());
    run(&mut executor, 0..30);
    good.checkpoint(&mut source(executor.store())).unwrap();
    let mut bad = maintenance(Arc::new(Lossy(memory.clone())), executor.store());
    for round in 1..4 {
        run(&mut executor, round * 30..round * 30 + 30);
        assert!(bad.checkpoint(&mut source(executor.store())).is_err());
        bad.turn(&mut source(executor.store()));
    }
    assert!(list_checkpoints(&memory).unwrap().contains(&Lsn(30)), "the one that reads is gone");
    let state = state_of(executor.store().state());
    drop(executor);
    let (store, report) = open(&memory, 2, None).unwrap();
    assert_eq!((report.checkpoint_lsn, state_of(store.state())), (Lsn(30), state));
}

#[test]
fn a_journal_that_ends_before_a_checkpoint_is_refused() {
    let (memory, mut executor) = new_store();
    let mut maintenance = maintenance(Arc::new(memory.clone()), executor.store());
    run(&mut executor, 0..10);
    let before = memory.files();
    run(&mut executor, 10..30);
    maintenance.checkpoint(&mut source(executor.store())).unwrap();
    drop(executor);
    // Somebody puts the journal of yesterday back; the checkpoint is of today.
    let checkpoints = memory.files().into_iter().filter(|(path, _)| path.starts_with(CHECKPOINTS_DIR));
    let mixed = before.into_iter().chain(checkpoints).collect();
    let memory = Memory::with(&mixed);
    let Err(refused) = open(&memory, 2, None) else { panic!("it starts on less than was there") };
    assert!(refused.to_string().contains("damaged"), "{refused}");
    assert_eq!(memory.files(), mixed);
}
