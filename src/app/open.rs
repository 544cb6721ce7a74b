//! From a configuration to a locked, recovered store with its cursors.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::AppError;
use super::clock::SystemClock;
use crate::config::Config;
use crate::contracts::{Clock, Lsn, Storage};
use crate::journal::{CURSORS_DIR, IdentityError, JournalOptions, StoreId, create_store, open_store as open_identity};
use crate::relay::{CursorFile, cursor};
use crate::repo::{OpenReport, SinkPosition, Store, StoreOptions, open_store};
use crate::storage::{DiskStorage, StoreLock};

/// A store that is ours until the lock is dropped.
pub(super) struct OpenStore {
    pub(super) _lock: StoreLock,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) store_id: StoreId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Store,
    /// The checkpoint that the state came from; zero for none.
    pub(super) checkpoint_lsn: Lsn,
    /// By sink name: the cursors that are there, also those of sinks that are not configured any more.
    pub(super) cursors: Vec<(String, CursorFile)>,
}

pub(super) fn open(config: &Config) -> Result<OpenStore, AppError> {
    let data_dir = &config.daemon.data_dir;
    // 1. The lock, before anything is looked at.
    let mut lock = StoreLock::acquire(data_dir)?;
    let storage = open_storage(data_dir)?;
    // 2. Which store this is; a missing one is made, an unreadable one is not.
    let store_id = match open_identity(storage.as_ref()) {
        Err(IdentityError::Missing) => {
            let store_id = create_store(storage.as_ref(), StoreId::from_bytes(*Uuid::now_v7().as_bytes()))?;
            tracing::info!(%store_id, data_dir = %data_dir.display(), "made a new store");
            store_id
        }
        opened => opened?,
    };
    // 3. The cursors, because what a sink has seen must be in the journal.
    let cursors = load_cursors(storage.as_ref(), store_id)?;
    let sinks: Vec<_> = cursors
        .iter()
        .map(|(name, cursor)| SinkPosition { path: cursor::path_of(name), position: cursor.position() })
        .collect();
    // 4. The state, from checkpoint and journal.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (store, report) = open_store(&storage, Arc::clone(&clock), store_id, &store_options(config), &sinks)?;
    lock.note_holder();
    tell(&report, clock.as_ref());
    let checkpoint_lsn = report.checkpoint_lsn;
    Ok(OpenStore { _lock: lock, storage, store_id, clock, store, checkpoint_lsn, cursors })
}

/// The files below a data directory.
pub(super) fn open_storage(data_dir: &Path) -> Result<Arc<dyn Storage>, AppError> {
    let storage = DiskStorage::open(data_dir)
        .map_err(|error| AppError::io(format!("opening data directory {}: {error}", data_dir.display()), &error))?;
    Ok(Arc::new(storage))
}

/// The store's id as the relay knows it.
pub(super) const fn uuid_of(store_id: StoreId) -> Uuid {
    Uuid::from_bytes(*store_id.as_bytes())
}

/// The names of the sinks that have a cursor.
pub(super) fn sinks_with_cursor(storage: &dyn Storage) -> Result<Vec<String>, AppError> {
    let names =
        storage.list(CURSORS_DIR).map_err(|error| AppError::io(format!("listing {CURSORS_DIR}: {error}"), &error))?;
    Ok(names.iter().filter_map(|name| cursor::sink_of(name)).map(str::to_owned).collect())
}

fn load_cursors(storage: &dyn Storage, store_id: StoreId) -> Result<Vec<(String, CursorFile)>, AppError> {
    let mut cursors = Vec::new();
    for sink in sinks_with_cursor(storage)? {
        if let Some(cursor) = CursorFile::load(storage, &sink, uuid_of(store_id))? {
            cursors.push((sink, cursor));
        }
    }
    Ok(cursors)
}

/// A command's metadata, its trace context, a reason of 500 characters of four bytes each, and the order's own fields.
const PLAN_BYTES_MAX: u64 = 24 << 10;

fn store_options(config: &Config) -> StoreOptions {
    let (epoch_seed, _) = Uuid::now_v7().as_u64_pair();
    let (_, random) = Uuid::now_v7().as_u64_pair();
    StoreOptions {
        journal: JournalOptions {
            segment_bytes: config.journal.segment_bytes,
            bytes_max: config.journal.bytes_max,
            batch_bytes_max: config.executor.batch_bytes_max,
            plan_bytes_max: PLAN_BYTES_MAX,
            decisions_bytes: config.journal.decisions_bytes.min(config.journal.segment_bytes / 4),
            full_probe: config.journal.full_probe_ms,
            epoch_seed: epoch_seed ^ random,
        },
        command_ids_max: config.executor.command_ids_max,
        event_source: Arc::from(config.daemon.event_source.as_str()),
    }
}

fn tell(report: &OpenReport, clock: &dyn Clock) {
    for error in &report.damaged_checkpoints {
        tracing::error!(%error, "passed over a checkpoint that does not read; an older one and the journal have it all");
    }
    if let Some(tail) = &report.journal.torn_tail {
        let (path, offset, bytes) = (&tail.path, tail.offset, tail.bytes);
        tracing::warn!(path, offset, bytes, "left behind the half-written end of a batch that nobody was told of");
    }
    let (lsn, checkpoint, frames) = (report.journal.last_lsn, report.checkpoint_lsn, report.journal.frames);
    let elapsed_ms = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%lsn, %checkpoint, frames, elapsed_ms, "recovered the store");
}
