//! One run of the daemon in one thread: the parts that `app` gives threads to, joined by hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use orderd::contracts::{Clock, FeedError, FeedPosition, PlanStore, Storage};
use orderd::executor::{Executor, ExecutorOptions};
use orderd::journal::{CURSORS_DIR, CheckpointError, IdentityError, JournalHandle, RecoveryError, StoreId};
use orderd::journal::{create_store, open_store as open_identity};
use orderd::relay::{CursorError, CursorFile, Step, Worker, WorkerError, cursor};
use orderd::repo::{JournalOutbox, Maintenance, OpenError, OpenReport, SinkPosition, Store, open_store};
use uuid::Uuid;

use crate::clock::SimClock;
use crate::disk::hook;
use crate::environment::{Environment, STORE_ID, SinkSetup};
use crate::rng::Rng;
use crate::sink::look;

/// Why a run could not start.
#[derive(Debug)]
pub enum StartError {
    /// Exit code 65: the store is damaged; no byte was changed.
    Damaged(String),
    /// Exit code 65: what a sink needs is damaged, and the state does not need it any more.
    Backlog(String),
    /// Exit code 74: something could not be read or written.
    Io(String),
    /// Exit code 78: a later orderd's.
    Version(String),
}

/// A relay worker, and why it ended.
pub struct Relay {
    worker: Option<Worker>,
    /// Why it ended.
    pub failed: Option<WorkerError>,
    /// How often it delivered something while somebody waited for a sync.
    pub delivered_while_syncing: u64,
}

/// All workers; shared with what runs while others wait for a sync.
pub type Relays = Rc<RefCell<Vec<Relay>>>;

/// A run.
pub struct Daemon {
    /// Decides and stores.
    pub executor: Executor<Store>,
    /// Publishes.
    pub relays: Relays,
    /// Writes checkpoints and deletes; taken out while it is at work.
    pub maintenance: Option<Maintenance>,
    /// What reading the journal takes.
    pub files: JournalHandle,
    /// What the start found.
    pub report: OpenReport,
    /// Where each cursor stood.
    pub positions: Vec<FeedPosition>,
}

impl Daemon {
    /// Starts as the daemon does: identity, cursors, checkpoint, journal, workers.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(around: &Environment) -> Result<Self, StartError> {
        let storage = around.storage();
        let clock: Arc<dyn Clock> = Arc::new(around.clock.clone());
        let store_id = match open_identity(storage.as_ref()) {
            Err(IdentityError::Missing) => create_store(storage.as_ref(), StoreId::from_bytes(STORE_ID)),
            opened => opened,
        }?;
        let id = Uuid::from_bytes(*store_id.as_bytes());
        let mut cursors = load_cursors(storage.as_ref(), id)?;
        let seen: Vec<_> = cursors
            .iter()
            .map(|(name, cursor)| SinkPosition { path: cursor::path_of(name), position: cursor.position() })
            .collect();
        let options = around.store_options();
        let (store, report) = open_store(&storage, Arc::clone(&clock), store_id, &options, &seen)?;
        let index = Arc::clone(store.journal().index());
        let files = JournalHandle { storage: Arc::clone(&storage), index, store_id };
        let (mut relays, mut positions, mut saved) = (Vec::new(), Vec::new(), Vec::new());
        for (number, sink) in around.sinks.iter().enumerate() {
            let cursor = match cursors.remove(&sink.name) {
                Some(cursor) => cursor,
                None => CursorFile::create(storage.as_ref(), &sink.name, id, beginning(sink, &files, &store)?)?,
            };
            positions.push(cursor.position());
            saved.push(cursor.saved());
            let durable_sequence = Arc::clone(store.durable_sequence());
            let reader = Box::new(JournalOutbox::open(files.clone(), durable_sequence, cursor.position())?);
            let settings = around.worker_settings(&sink.name, number as u64);
            let worker = Worker::new(&settings, reader, around.sink(sink, number as u64), cursor, Arc::clone(&clock))
                .map_err(|error| StartError::Backlog(error.to_string()))?;
            relays.push(Relay { worker: Some(worker), failed: None, delivered_while_syncing: 0 });
        }
        saved.extend(cursors.values().map(CursorFile::saved));
        let positions_of_cursors = Box::new(move || saved.iter().map(|position| position.lsn()).collect());
        let maintenance = Maintenance::new(
            files.clone(),
            Arc::clone(&clock),
            around.options.maintenance,
            report.checkpoint_lsn,
            positions_of_cursors,
        );
        let options = ExecutorOptions {
            batch_commands_max: around.options.batch_commands_max,
            batch_bytes_max: around.options.batch_bytes_max,
        };
        let executor = Executor::new(store, clock, Box::new(around.ids.clone()), options);
        let relays = Rc::new(RefCell::new(relays));
        Ok(Self { executor, relays, maintenance: Some(maintenance), files, report, positions })
    }

    /// From now on workers step now and then while somebody waits for a sync.
    pub fn relay_while_syncing(&self, mut rng: Rng) {
        let relays = Rc::clone(&self.relays);
        hook::set(Box::new(move || {
            // Not while it is a worker that waits for a sync.
            let count = relays.try_borrow_mut().map_or(0, |relays| relays.len());
            if count > 0 && rng.percent(40) {
                let number = rng.index(count);
                let delivered = step(&relays, number) == Some(Step::Delivered);
                if let Some(relay) = relays.borrow_mut().get_mut(number).filter(|_| delivered) {
                    relay.delivered_while_syncing += 1;
                }
            }
        }));
    }

    /// What the sinks acknowledge counts from where the cursors stand: this run offers again what lies behind.
    pub fn begin_run(&self, sinks: &[SinkSetup]) {
        for (sink, position) in sinks.iter().zip(&self.positions) {
            look(&sink.consumer).run_acknowledged = position.sequence.0;
        }
    }

    /// Lets the relay work until there is nothing to do.
    ///
    /// # Errors
    /// A worker ended, or never comes to rest.
    pub fn drain(&self, clock: &SimClock) -> Result<(), String> {
        let workers = self.relays.borrow().len();
        for number in 0..workers {
            self.drain_one(number, clock)?;
            if let Some(error) = &self.relays.borrow()[number].failed {
                return Err(format!("worker {number} ended: {error:?}"));
            }
        }
        Ok(())
    }

    /// Steps one worker; `None` if it has ended.
    pub fn step(&self, number: usize) -> Option<Step> {
        step(&self.relays, number)
    }

    /// Steps one worker until it has nothing to do any more, or has ended.
    ///
    /// # Errors
    /// It never comes to rest.
    pub fn drain_one(&self, number: usize, clock: &SimClock) -> Result<(), String> {
        for _ in 0..10_000 {
            match self.step(number) {
                Some(Step::Delivered) => {}
                Some(Step::Idle) | None => return Ok(()),
                Some(Step::CursorDue(at) | Step::Retry(at)) => {
                    let wait = at.saturating_sub(clock.monotonic()).as_micros();
                    clock.wait(u32::try_from(wait).unwrap_or(u32::MAX));
                }
            }
        }
        Err(format!("STUCK: worker {number} never comes to rest"))
    }

    /// Stops as the daemon does on SIGTERM: the journal sealed, the cursors saved.
    ///
    /// # Errors
    /// Something could not be saved.
    pub fn stop(mut self) -> Result<(), String> {
        hook::clear();
        self.executor.store_mut().close().map_err(|error| format!("close: {error}"))?;
        for relay in self.relays.borrow_mut().iter_mut() {
            if let Some(worker) = &mut relay.worker {
                worker.save().map_err(|error| format!("save: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        hook::clear();
    }
}

fn step(relays: &Relays, number: usize) -> Option<Step> {
    let mut relays = relays.borrow_mut();
    let relay = relays.get_mut(number)?;
    match relay.worker.as_mut()?.step() {
        Ok(step) => Some(step),
        Err(error) => {
            relay.worker = None;
            relay.failed = Some(error);
            None
        }
    }
}

/// All that are there, also those of sinks that are not configured.
fn load_cursors(storage: &dyn Storage, store_id: Uuid) -> Result<BTreeMap<String, CursorFile>, StartError> {
    let mut cursors = BTreeMap::new();
    let names = storage.list(CURSORS_DIR).map_err(|error| StartError::Io(format!("listing {CURSORS_DIR}: {error}")))?;
    for name in names.iter().filter_map(|name| cursor::sink_of(name)) {
        if let Some(cursor) = CursorFile::load(storage, name, store_id)? {
            cursors.insert(name.to_owned(), cursor);
        }
    }
    Ok(cursors)
}

fn beginning(sink: &SinkSetup, files: &JournalHandle, store: &Store) -> Result<FeedPosition, StartError> {
    let last = store.state().last_sequence;
    let position = if sink.from_beginning {
        JournalOutbox::beginning(files.clone(), last)?
    } else {
        JournalOutbox::end(files, last)
    };
    let mut consumer = look(&sink.consumer);
    if consumer.seen.is_empty() {
        consumer.base = position.sequence.0;
    } else {
        return Err(StartError::Damaged(format!("the cursor of {} is gone", sink.name)));
    }
    Ok(position)
}

impl From<IdentityError> for StartError {
    fn from(error: IdentityError) -> Self {
        let text = error.to_string();
        match error {
            IdentityError::Missing | IdentityError::Damaged(_) => Self::Damaged(text),
            IdentityError::Version(_) => Self::Version(text),
            IdentityError::Io { .. } => Self::Io(text),
        }
    }
}

impl From<CursorError> for StartError {
    fn from(error: CursorError) -> Self {
        let text = error.to_string();
        match error {
            CursorError::Damaged { .. } | CursorError::WrongStore { .. } => Self::Damaged(text),
            CursorError::NewerFormat { .. } => Self::Version(text),
            CursorError::Io { .. } => Self::Io(text),
        }
    }
}

impl From<FeedError> for StartError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Damaged(text) => Self::Backlog(text),
            FeedError::Io(error) => Self::Io(error.to_string()),
        }
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        let text = error.to_string();
        match error {
            OpenError::Checkpoint(CheckpointError::Damaged { .. })
            | OpenError::Journal(RecoveryError::Damaged { .. }) => Self::Damaged(text),
            OpenError::Checkpoint(CheckpointError::Version { .. })
            | OpenError::Journal(RecoveryError::Version { .. }) => Self::Version(text),
            OpenError::Checkpoint(CheckpointError::Io { .. })
            | OpenError::Journal(RecoveryError::Io { .. } | RecoveryError::Journal(_)) => Self::Io(text),
        }
    }
}
