//! Everything of a daemon but its threads, wired in one place. The daemon gives it threads; the simulation and the
//! batteries drive it step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::AppError;
use super::host::Host;
use super::registration::register;
use crate::config::SinkStart;
use crate::contracts::{Clock, FeedPosition, JournalNeeds, Lsn, Sequence, Storage};
use crate::executor::{Executor, ExecutorOptions};
use crate::journal::{CURSORS_DIR, IdentityError, JournalHandle, StoreId, create_store, open_store as open_store_id};
use crate::relay::{CursorFile, Worker, WorkerSettings, cursor};
use crate::repo::{
    JournalOutbox, Maintenance, MaintenanceOptions, OpenReport, SinkPosition, Store, StoreOptions, open_store,
};

/// What the configuration says about the parts.
#[derive(Debug, Clone)]
pub struct CoreOptions {
    /// The store's.
    pub store: StoreOptions,
    /// The executor's.
    pub executor: ExecutorOptions,
    /// Checkpoints and retention.
    pub maintenance: MaintenanceOptions,
    /// The sinks, in the order of the configuration.
    pub sinks: Vec<SinkOptions>,
}

/// One sink.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Its worker's limits.
    pub worker: WorkerSettings,
    /// Where it starts if it was not seen before.
    pub start: SinkStart,
}

/// An opened store with everything that works on it.
pub struct Core {
    /// Decides and makes durable.
    pub executor: Executor<Store>,
    /// Publishes: one for each configured sink.
    pub workers: Vec<Worker>,
    /// Writes checkpoints and deletes.
    pub maintenance: Maintenance,
    /// What reading the journal takes.
    pub journal: JournalHandle,
    /// What the start found.
    pub report: OpenReport,
    /// Where each worker goes on.
    pub positions: Vec<FeedPosition>,
    /// Who still reads the journal.
    pub needs: Arc<JournalNeeds>,
    /// How far those sinks had got that are recorded and not configured.
    pub leftovers: BTreeMap<Arc<str>, Sequence>,
}

impl Core {
    /// Opens the store below the host's data directory, and wires everything that works on it.
    ///
    /// The order is what keeps two daemons apart and a refused start without a trace:
    /// 1. the lock, before anything is looked at;
    /// 2. whether somebody answers at the socket, before a byte is changed;
    /// 3. which store it is; a missing one is made, an unreadable one is not;
    /// 4. the cursors, because what a sink has seen must be in the journal;
    /// 5. the state, from checkpoint and journal;
    /// 6. new sinks, which are recorded;
    /// 7. the workers;
    /// 8. the socket, so that nobody can ask before there is somebody to answer.
    ///
    /// # Errors
    /// Whatever keeps the store from being opened. If it is damaged, nothing was changed.
    pub fn open(host: &mut dyn Host, options: &CoreOptions) -> Result<Self, AppError> {
        host.lock()?;
        host.probe_socket()?;
        let storage = host.storage()?;
        let store_id = open_or_create(storage.as_ref(), host)?;
        let cursors = load_cursors(storage.as_ref(), store_id)?;
        let clock = host.clock();
        let seen: Vec<_> = cursors.iter().map(|(name, cursor)| position_of(name, cursor)).collect();
        let (mut store, report) = open_store(&storage, Arc::clone(&clock), store_id, &options.store, &seen)?;
        log_report(&report, clock.as_ref());
        let journal = JournalHandle { storage, index: Arc::clone(store.journal().index()), store_id };
        let cursors = register(&mut store, &journal, clock.as_ref(), &options.sinks, cursors)?;
        let relays = Relays::open(host, options, &store, &journal, cursors)?;
        let positions = relays.workers.iter().map(Worker::position).collect();
        let needs = Arc::new(relays.needs);
        let maintenance = Maintenance::new(
            journal.clone(),
            Arc::clone(&clock),
            options.maintenance,
            report.checkpoint_lsn,
            Arc::clone(&needs),
        );
        let executor = Executor::new(store, clock, host.order_ids(), options.executor);
        host.bind_socket()?;
        Ok(Self {
            executor,
            workers: relays.workers,
            maintenance,
            journal,
            report,
            positions,
            needs,
            leftovers: relays.leftovers,
        })
    }
}

fn open_or_create(storage: &dyn Storage, host: &mut dyn Host) -> Result<StoreId, AppError> {
    match open_store_id(storage) {
        Err(IdentityError::Missing) => {
            let store_id = create_store(storage, StoreId::from_bytes(host.new_store_id()))?;
            tracing::info!(%store_id, "made a new store");
            Ok(store_id)
        }
        opened => Ok(opened?),
    }
}

/// The cursors that are there, also those of sinks that are not configured any more.
fn load_cursors(storage: &dyn Storage, store_id: StoreId) -> Result<Vec<(String, CursorFile)>, AppError> {
    let mut cursors = Vec::new();
    for sink in sinks_with_cursor(storage)? {
        if let Some(cursor) = CursorFile::load(storage, &sink, uuid_of(store_id))? {
            cursors.push((sink, cursor));
        }
    }
    Ok(cursors)
}

/// The names of the sinks that have a cursor.
pub(super) fn sinks_with_cursor(storage: &dyn Storage) -> Result<Vec<String>, AppError> {
    let names =
        storage.list(CURSORS_DIR).map_err(|error| AppError::io(format!("listing {CURSORS_DIR}: {error}"), &error))?;
    Ok(names.iter().filter_map(|name| cursor::sink_of(name)).map(str::to_owned).collect())
}

/// The store's id as the relay knows it.
pub(super) const fn uuid_of(store_id: StoreId) -> Uuid {
    Uuid::from_bytes(*store_id.as_bytes())
}

fn position_of(sink: &str, cursor: &CursorFile) -> SinkPosition {
    SinkPosition { path: cursor::path_of(sink), position: cursor.position() }
}

/// The workers, and what retention must keep for all cursors.
struct Relays {
    workers: Vec<Worker>,
    needs: JournalNeeds,
    /// How far those sinks had got that are recorded and not configured.
    leftovers: BTreeMap<Arc<str>, Sequence>,
}

impl Relays {
    fn open(
        host: &mut dyn Host,
        options: &CoreOptions,
        store: &Store,
        journal: &JournalHandle,
        mut cursors: Vec<(String, CursorFile)>,
    ) -> Result<Self, AppError> {
        let mut workers = Vec::new();
        for sink in &options.sinks {
            let at = cursors.iter().position(|(name, _)| *name == sink.worker.name);
            let Some((_, cursor)) = at.map(|at| cursors.swap_remove(at)) else {
                return Err(AppError::Internal(format!("sink {} has no cursor", sink.worker.name)));
            };
            let durable_sequence = Arc::clone(store.durable_sequence());
            let feed = JournalOutbox::open(journal.clone(), durable_sequence, cursor.position())
                .map_err(AppError::behind_checkpoint)?;
            let target = host.open_sink(&sink.worker)?;
            workers.push(Worker::new(&sink.worker, Box::new(feed), target, cursor, host.clock())?);
        }
        let needs = JournalNeeds::default();
        for worker in &workers {
            let saved = worker.saved();
            needs.add(worker.name().into(), Box::new(move || saved.lsn()));
        }
        let mut leftovers = BTreeMap::new();
        for (sink, cursor) in cursors {
            let lsn = cursor.position().lsn;
            tracing::warn!(sink, %lsn, "a sink that is not configured keeps its cursor, and the journal from there on; \
                `orderd sink forget` lets it go");
            let (name, saved) = (Arc::<str>::from(sink), cursor.saved());
            leftovers.insert(Arc::clone(&name), cursor.position().sequence);
            needs.add(name, Box::new(move || saved.lsn()));
        }
        Ok(Self { workers, needs, leftovers })
    }
}

/// Tells what a start found, for people.
fn log_report(report: &OpenReport, clock: &dyn Clock) {
    for error in &report.damaged_checkpoints {
        tracing::error!(%error, "passed over a checkpoint that does not read; an older one and the journal have it all");
    }
    if let Some(tail) = &report.journal.torn_tail {
        let (path, offset, bytes) = (&tail.path, tail.offset, tail.bytes);
        tracing::warn!(path, offset, bytes, "truncated a torn tail (unacknowledged batch)");
    }
    let (lsn, checkpoint, frames): (Lsn, Lsn, u64) =
        (report.journal.last_lsn, report.checkpoint_lsn, report.journal.frames);
    let elapsed_ms = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%lsn, %checkpoint, frames, elapsed_ms, "recovered the store");
}
