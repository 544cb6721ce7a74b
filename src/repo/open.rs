//! From a data directory to a store that takes plans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::checkpoint::{LoadOptions, LoadedState, load_newest};
use super::state::StoreState;
use super::store::Store;
use super::{DurableSequence, JournalOutbox, PlanRecord, PlanRecordError, Share, lsn_of};
use crate::contracts::{Clock, FeedError, FeedPosition, Lsn, Storage};
use crate::journal::{
    CheckpointError, JournalHandle, JournalOptions, Recovered, Recovery, RecoveryError, RedoError, RedoFrame,
    RedoProblem, RedoRange, StoreId, inspect_files, oldest_lsn, recover,
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
    /// Counts the plans that a start has redone, for whoever waits for it.
    pub redone_plans: Arc<AtomicU64>,
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

/// How far a sink had come.
#[derive(Debug, Clone)]
pub struct SinkPosition {
    /// The file that says so.
    pub path: String,
    /// What it says.
    pub position: FeedPosition,
}

/// A store that a start has read, and not changed: what speaks against it is found before [`RecoveredStore::open`].
pub struct RecoveredStore {
    state: StoreState,
    journal: Recovery,
    checkpoint_lsn: Lsn,
    damaged_checkpoints: Vec<CheckpointError>,
}

/// Rebuilds the state from the newest checkpoint and the journal behind it, and changes nothing. What `sinks` have seen
/// must be in it.
///
/// # Errors
/// The store is damaged or cannot be read.
pub fn recover_store(
    storage: &Arc<dyn Storage>,
    store_id: StoreId,
    options: &StoreOptions,
    sinks: &[SinkPosition],
) -> Result<RecoveredStore, OpenError> {
    let all = LoadOptions { share: Share::ALL, command_ids_max: options.command_ids_max };
    let loaded = load(storage.as_ref(), store_id, all)?;
    let range = RedoRange {
        after: loaded.covered,
        must_reach: must_reach_by(sinks).max(loaded.must_reach),
        points: loaded.points,
    };
    let (mut state, already_maybe) = (loaded.state, loaded.required);
    let mut redo = |frames: &[RedoFrame<'_>]| {
        options.redone_plans.fetch_add(frames.len() as u64, Ordering::Relaxed);
        redo_together(&mut state, frames, already_maybe, Share::ALL)
    };
    let journal = recover(storage, store_id, &range, &mut redo)?;
    // A cursor may be from another history. What lies between it and the checkpoint is not read here: a start costs the
    // same however much is undelivered. The relay reads it, and damage there stops that sink then.
    let is_below = |sink: &SinkPosition| lsn_of(&sink.position) <= loaded.covered;
    sinks.iter().try_for_each(|sink| check_position(journal.files(), sink, is_below(sink)))?;
    Ok(RecoveredStore { state, journal, checkpoint_lsn: loaded.covered, damaged_checkpoints: loaded.damaged })
}

impl RecoveredStore {
    /// What was rebuilt.
    #[must_use]
    pub const fn state(&self) -> &StoreState {
        &self.state
    }

    /// What reading the journal takes.
    #[must_use]
    pub const fn files(&self) -> &JournalHandle {
        self.journal.files()
    }

    /// Opens the store for plans; the first bytes are changed here.
    ///
    /// # Errors
    /// A call to the OS failed.
    pub fn open(self, clock: Arc<dyn Clock>, options: &StoreOptions) -> Result<(Store, OpenReport), OpenError> {
        let Self { state, journal, checkpoint_lsn, damaged_checkpoints } = self;
        let files = journal.files().clone();
        let (journal, recovered) = journal.open(clock, options.journal)?;
        journal.index().set_checkpoint_lsn(checkpoint_lsn);
        let durable_sequence = Arc::new(DurableSequence::new(state.last_sequence));
        let store = Store::new(state, journal, files, Arc::clone(&options.event_source), durable_sequence);
        Ok((store, OpenReport { journal: recovered, checkpoint_lsn, damaged_checkpoints }))
    }
}

/// Recovers a store and opens it at once.
///
/// # Errors
/// As [`recover_store`] and [`RecoveredStore::open`].
pub fn open_store(
    storage: &Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    store_id: StoreId,
    options: &StoreOptions,
    sinks: &[SinkPosition],
) -> Result<(Store, OpenReport), OpenError> {
    recover_store(storage, store_id, options, sinks)?.open(clock, options)
}

/// The state to begin with. Where no checkpoint reads, the journal must have everything; where it has not any more, the
/// damage to be named is the newest checkpoint's.
pub(super) fn load(storage: &dyn Storage, store_id: StoreId, options: LoadOptions) -> Result<LoadedState, OpenError> {
    let mut loaded = load_newest(storage, store_id, options)?;
    if loaded.covered == Lsn::ZERO && !loaded.damaged.is_empty() && oldest_lsn(storage)? > Lsn::ZERO.next() {
        return Err(loaded.damaged.swap_remove(0).into());
    }
    Ok(loaded)
}

/// Applies plans in their order, those of the share, after the orders that they change were fetched together.
pub(super) fn redo_together(
    state: &mut StoreState,
    frames: &[RedoFrame<'_>],
    already_maybe: Lsn,
    share: Share,
) -> Result<(), RedoError> {
    let mut plans = Vec::with_capacity(frames.len());
    let mut unfit = Ok(());
    for (frame, replayed) in frames.iter().enumerate() {
        match PlanRecord::decode(replayed.body) {
            Ok(plan) => plans.push(plan),
            // The plans before it come first: the first that makes no sense is the one that is told.
            Err(error) => {
                unfit = Err(RedoError { frame, problem: error.into() });
                break;
            }
        }
    }
    let order_ids: Vec<_> = plans.iter().filter_map(PlanRecord::order_id).collect();
    state.orders.fetch(&order_ids);
    for (frame, (replayed, plan)) in frames.iter().zip(&plans).enumerate() {
        let is_ours = plan.order_id().map_or(share.holds_decisions(), |order_id| share.holds(order_id));
        let redone = if is_ours { state.redo(replayed.lsn, plan, already_maybe) } else { state.pass_over(plan) };
        redone.map_err(|problem| RedoError { frame, problem: problem.into() })?;
    }
    unfit
}

impl From<PlanRecordError> for RedoProblem {
    fn from(error: PlanRecordError) -> Self {
        match error {
            PlanRecordError::Damaged(_) => Self::Unfit(error.to_string()),
            PlanRecordError::Version(_) => Self::Version(error.to_string()),
        }
    }
}

/// The highest LSN that a sink has seen: it had been durable.
fn must_reach_by(sinks: &[SinkPosition]) -> Lsn {
    sinks.iter().map(|sink| lsn_of(&sink.position)).max().unwrap_or_default()
}

/// Checks, as a start does, that `sinks` have seen what the journal holds, which ends with `last`.
///
/// # Errors
/// A cursor is from another history, or what it stands behind is gone or does not read.
pub fn inspect_positions(
    storage: &Arc<dyn Storage>,
    store_id: StoreId,
    last: Lsn,
    sinks: &[SinkPosition],
) -> Result<(), RecoveryError> {
    let files = inspect_files(storage, store_id, last)?;
    sinks.iter().try_for_each(|sink| check_position(&files, sink, false))
}

fn check_position(files: &JournalHandle, sink: &SinkPosition, below_checkpoint: bool) -> Result<(), RecoveryError> {
    let durable_sequence = Arc::new(DurableSequence::new(sink.position.sequence));
    match JournalOutbox::open(files.clone(), durable_sequence, sink.position) {
        Ok(_) => Ok(()),
        // What only this sink has still to read keeps nobody else from starting: it is told when the sink gets there.
        Err(FeedError::Damaged(_)) if below_checkpoint => Ok(()),
        Err(error @ (FeedError::Damaged(_) | FeedError::OtherHistory(_) | FeedError::NotHeld { .. })) => {
            Err(RecoveryError::Damaged { path: sink.path.clone(), offset: 0, problem: error.to_string() })
        }
        Err(FeedError::Io(source)) => {
            Err(RecoveryError::Io { operation: "reading the plan that is named by", path: sink.path.clone(), source })
        }
    }
}
