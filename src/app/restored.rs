//! What makes a copy of a store a store of its own: the next epoch.

use std::path::Path;
use std::sync::Arc;

use super::AppError;
use super::clock::SystemClock;
use super::core::CoreOptions;
use super::cursors::{load_cursors, position_of};
use super::machine::open_storage;
use crate::config::Config;
use crate::contracts::{Clock, CommitError, Decision, DecisionKind, Lsn, PlanStore};
use crate::journal::open_store as open_store_id;
use crate::repo::open_store;

/// What a restored store begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEpoch {
    /// `storeepoch` of the events that are stored from now on.
    pub epoch: u32,
    /// The plan that says so.
    pub lsn: Lsn,
    /// How many orders there are.
    pub orders: u64,
}

/// Opens the store in `data_dir`, which nobody else uses, records that it was restored, and closes it.
///
/// # Errors
/// It is damaged, or cannot be read or written.
pub fn begin_epoch(data_dir: &Path, config: &Config) -> Result<NewEpoch, AppError> {
    let storage = open_storage(data_dir)?;
    let store_id = open_store_id(storage.as_ref())?;
    let cursors = load_cursors(storage.as_ref(), store_id)?;
    let seen: Vec<_> = cursors.sound.iter().map(|(name, cursor)| position_of(name, cursor)).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = CoreOptions::of(config);
    let (mut store, _) = open_store(&storage, Arc::clone(&clock), store_id, &options.store, &seen)?;
    cursors.damaged_leftovers(|sink| store.sink(sink).is_some())?;
    let epoch = store.epoch().saturating_add(1);
    let restored = Decision {
        sink: Arc::from(""),
        at: clock.now(),
        uid: rustix::process::geteuid().as_raw(),
        reason: Arc::from(""),
        kind: DecisionKind::Restored { epoch },
    };
    store.make_room()?;
    store.stage_decisions(None, vec![restored])?;
    store.commit()?;
    let (lsn, orders) = (store.durable_lsn(), store.status().orders_count);
    let sealing = |source| CommitError::Failed { operation: "sealing of the journal", source };
    store.close().map_err(sealing)?;
    Ok(NewEpoch { epoch, lsn, orders })
}
