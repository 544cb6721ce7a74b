//! What makes a copy of a store a store of its own: the next epoch.

use std::sync::Arc;

use super::AppError;
use super::clock::SystemClock;
use super::core::CoreOptions;
use super::cursors::{load_cursors, position_of};
use crate::config::Config;
use crate::contracts::{Clock, CommitError, Decision, DecisionKind, Lsn, PlanStore, Storage};
use crate::journal::open_store as open_store_id;
use crate::repo::{StoreOptions, open_store};

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

/// Opens a restored store, which nobody else uses, records that it was restored, and closes it.
///
/// # Errors
/// It is damaged, or cannot be read or written.
pub fn begin_epoch(storage: &Arc<dyn Storage>, config: &Config) -> Result<NewEpoch, AppError> {
    let uid = rustix::process::geteuid().as_raw();
    begin_epoch_at(storage, Arc::new(SystemClock::new()), &CoreOptions::of(config).store, uid)
}

/// The same by any clock; `uid` is who restores.
///
/// # Errors
/// As [`begin_epoch`].
pub fn begin_epoch_at(
    storage: &Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    options: &StoreOptions,
    uid: u32,
) -> Result<NewEpoch, AppError> {
    let store_id = open_store_id(storage.as_ref())?;
    let cursors = load_cursors(storage.as_ref(), store_id)?;
    let seen: Vec<_> = cursors.sound.iter().map(|(name, cursor)| position_of(name, cursor)).collect();
    let (mut store, _) = open_store(storage, Arc::clone(&clock), store_id, options, &seen)?;
    cursors.damaged_leftovers(|sink| store.sink(sink).is_some())?;
    let epoch = store.epoch().saturating_add(1);
    let restored = Decision {
        sink: Arc::from(""),
        at: clock.now(),
        uid,
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
