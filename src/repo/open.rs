//! From a data directory to a store that takes plans.

use std::sync::Arc;

use super::checkpoint::load_newest;
use super::store::{Store, StoreState};
use super::{DurableSequence, StoredPlan};
use crate::contracts::{Clock, Lsn, Storage};
use crate::journal::{
    CheckpointError, JournalOptions, Recovered, RecoveryError, Replay, ReplayedFrame, Span, StoreId, inspect, recover,
};

/// What a store needs to know from the configuration.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The journal's limits.
    pub journal: JournalOptions,
    /// How many command ids are remembered.
    pub command_ids_max: usize,
    /// `daemon.event_source`.
    pub event_source: Arc<str>,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// See [`CheckpointError`].
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// See [`RecoveryError`].
    #[error(transparent)]
    Journal(#[from] RecoveryError),
}

/// What was found.
#[derive(Debug)]
pub struct OpenReport {
    /// The journal's part.
    pub journal: Recovered,
    /// The checkpoint that was used; zero for none.
    pub checkpoint_lsn: Lsn,
    /// Checkpoints that do not read.
    pub damaged_checkpoints: Vec<CheckpointError>,
}

/// Rebuilds the state from the newest checkpoint and the journal behind it, and opens the journal for plans. `proven` is
/// the highest LSN that a cursor says had been durable.
///
/// # Errors
/// The store is damaged or cannot be read; then nothing was changed.
pub fn open_store(
    storage: &Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    store_id: StoreId,
    options: &StoreOptions,
    proven: Lsn,
) -> Result<(Store, OpenReport), OpenError> {
    let loaded = load_newest(storage.as_ref(), store_id, options.command_ids_max)?;
    let span = Span { from: loaded.covered, proven: proven.max(loaded.proven) };
    let (mut state, already_maybe) = (loaded.state, loaded.required);
    let mut replay = |frame: ReplayedFrame<'_>| {
        let stored = StoredPlan::decode(frame.body)?;
        state.replay(frame.lsn, &stored, already_maybe)
    };
    let (journal, recovered) = recover(storage, clock, options.journal, store_id, span, &mut replay)?;
    journal.index().set_checkpoint_lsn(loaded.covered);
    let durable_sequence = Arc::new(DurableSequence::new(state.last_sequence));
    let store = Store::new(state, journal, Arc::clone(&options.event_source), durable_sequence);
    let report = OpenReport { journal: recovered, checkpoint_lsn: loaded.covered, damaged_checkpoints: loaded.damaged };
    Ok((store, report))
}

/// Rebuilds the state and changes nothing, also while a daemon writes the store.
///
/// # Errors
/// As [`open_store`].
pub fn inspect_store(
    storage: &dyn Storage,
    store_id: StoreId,
    proven: Lsn,
) -> Result<(StoreState, OpenReport), OpenError> {
    let loaded = load_newest(storage, store_id, 0)?;
    let span = Span { from: loaded.covered, proven: proven.max(loaded.proven) };
    let (mut state, already_maybe) = (loaded.state, loaded.required);
    let replay: &mut Replay<'_> = &mut |frame: ReplayedFrame<'_>| {
        let stored = StoredPlan::decode(frame.body)?;
        state.replay(frame.lsn, &stored, already_maybe)
    };
    let recovered = inspect(storage, store_id, span, replay)?;
    let report = OpenReport { journal: recovered, checkpoint_lsn: loaded.covered, damaged_checkpoints: loaded.damaged };
    Ok((state, report))
}
