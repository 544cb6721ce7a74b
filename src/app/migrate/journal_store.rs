//! The journal's side of a migration: a stopped store, as a start would find it, and unchanged.

use std::path::Path;
use std::sync::Arc;

use crate::app::AppError;
use crate::app::core::CoreOptions;
use crate::app::cursors::{inspect_cursors, uuid_of};
use crate::app::machine::open_storage;
use crate::app::registration::check_cursor_of;
use crate::config::Config;
use crate::contracts::{
    Decision, Lsn, Mutation, ProgressDetails, ProgressKind, PublishedEvent, ReplayState, Sequence, SinkRecord, Storage,
};
use crate::journal::{IdentityError, JournalReader, StoreId, open_store};
use crate::postgres::{Journal, SinkProgress, check_event};
use crate::repo::cursor_format::Slot;
use crate::repo::{CursorFile, PlanRecord, RecoveredStore, SinkPosition, StoreState, cursor, published, recover_store};
use crate::storage::StoreLock;

/// A store whose lock is held.
pub(super) struct JournalStore {
    recovered: RecoveredStore,
    identity: Journal,
    progress: Vec<SinkProgress>,
    held: HeldPlans,
    _lock: StoreLock,
}

/// What the plans hold that are still in the journal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeldPlans {
    pub events: u64,
    pub decisions: u64,
    pub last_decision: Lsn,
    /// The first plan's.
    oldest_sequence: Option<Sequence>,
}

/// Some plans, one after the other.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub events: Vec<(Lsn, PublishedEvent)>,
    pub decisions: Vec<(Lsn, Arc<Decision>)>,
    /// The last of them; the one they come after, if there are none.
    pub last: Lsn,
}

impl JournalStore {
    /// Takes the lock, and reads everything.
    pub(super) fn open(config: &Config, data_dir: &Path) -> Result<Self, AppError> {
        let storage = open_storage(data_dir)?;
        // Before the lock, which would make what is not there.
        let store_id = match open_store(storage.as_ref()) {
            Err(IdentityError::Missing) => {
                return Err(AppError::Io(format!("there is no store in {}", data_dir.display())));
            }
            opened => opened?,
        };
        let lock = StoreLock::acquire(data_dir)?;
        let cursors = inspect_cursors(storage.as_ref(), store_id)?;
        let seen: Vec<_> = cursors.sound.iter().map(|(sink, slot)| position_of(sink, slot)).collect();
        let recovered = recover_store(&storage, store_id, &CoreOptions::of(config).store, &seen)?;
        cursors.damaged_leftovers(|sink| recovered.state().delivery.sink(sink).is_some())?;
        let progress = progress(storage.as_ref(), store_id, recovered.state(), &cursors.sound)?;
        let (last_lsn, last_sequence) = (recovered.files().index.durable_lsn(), recovered.state().last_sequence);
        let store_id = uuid_of(store_id);
        let identity = Journal { store_id, last_lsn, oldest_sequence: last_sequence.next(), last_sequence };
        let mut store = Self { recovered, identity, progress, held: HeldPlans::default(), _lock: lock };
        store.held = store.look_at_plans()?;
        store.identity.oldest_sequence = store.held.oldest_sequence.unwrap_or(last_sequence.next());
        Ok(store)
    }

    pub(super) const fn state(&self) -> &StoreState {
        self.recovered.state()
    }

    pub(super) const fn identity(&self) -> Journal {
        self.identity
    }

    /// Of sinks and of running replays.
    pub(super) fn progress(&self) -> &[SinkProgress] {
        &self.progress
    }

    pub(super) const fn held(&self) -> HeldPlans {
        self.held
    }

    /// Refuses what cannot be carried over.
    pub(super) fn check(&self) -> Result<(), AppError> {
        let delivery = &self.state().delivery;
        let in_snapshot: Vec<&str> =
            delivery.sinks().filter(|record| record.snapshot_running).map(|record| &*record.name).collect();
        if !in_snapshot.is_empty() {
            return Err(AppError::Config(format!(
                "a snapshot cannot be migrated while it is being handed out, as to sink {}: start the daemon on the \
                 journal and let it end, or forget the sink",
                in_snapshot.join(", ")
            )));
        }
        let parked = delivery.sinks().flat_map(|record| record.lanes.values()).flat_map(|lane| &lane.events);
        for event in parked {
            check_event(event).map_err(AppError::Config)?;
        }
        Ok(())
    }

    /// The plans after `after`, until they hold `count` of something.
    pub(super) fn plans_after(&self, after: Lsn, count: usize) -> Result<Plans, AppError> {
        let files = self.recovered.files();
        let oldest = files.index.oldest().unwrap_or(Lsn::ZERO.next());
        let first = after.next().max(oldest);
        let mut plans = Plans { last: Lsn(first.0.saturating_sub(1)), ..Plans::default() };
        let mut reader = JournalReader::new(files.clone(), first);
        reader.seek(first)?;
        let end = first.plus(count as u64);
        while plans.last.next() < end && plans.events.len().max(plans.decisions.len()) < count {
            let Some(frame) = reader.next_frame()? else { break };
            let lsn = frame.lsn;
            let plan = PlanRecord::decode(frame.body)
                .map_err(|error| AppError::Damaged(format!("the journal, LSN {lsn}: {error}")))?;
            plans.decisions.extend(plan.mutations.iter().filter_map(Mutation::decision).map(|d| (lsn, Arc::clone(d))));
            let source = Arc::from(plan.source);
            plans.events.extend(published(plan, &source).map(|event| (lsn, event)));
            plans.last = lsn;
        }
        Ok(plans)
    }

    /// Counts what there is to bring, and refuses what PostgreSQL cannot hold before anything was brought.
    fn look_at_plans(&self) -> Result<HeldPlans, AppError> {
        const AT_ONCE: usize = 1000;
        let mut held = HeldPlans::default();
        let mut after = Lsn::ZERO;
        while after < self.identity.last_lsn {
            let plans = self.plans_after(after, AT_ONCE)?;
            for (_, event) in &plans.events {
                check_event(event).map_err(AppError::Config)?;
                held.oldest_sequence.get_or_insert(event.sequence);
            }
            held.events = held.events.saturating_add(plans.events.len() as u64);
            held.decisions = held.decisions.saturating_add(plans.decisions.len() as u64);
            held.last_decision = plans.decisions.last().map_or(held.last_decision, |(lsn, _)| *lsn);
            after = plans.last;
        }
        Ok(held)
    }
}

fn position_of(sink: &str, slot: &Slot) -> SinkPosition {
    SinkPosition { path: cursor::path_of(sink), position: slot.position }
}

/// Where every recorded sink is, and every replay that has begun.
fn progress(
    storage: &dyn Storage,
    store_id: StoreId,
    state: &StoreState,
    cursors: &[(String, Slot)],
) -> Result<Vec<SinkProgress>, AppError> {
    let mut progress = Vec::new();
    for record in state.delivery.sinks() {
        check_cursor_of(&record.name, cursors.iter().map(|(sink, _)| sink.as_str()))?;
        let own = cursors.iter().find(|(sink, _)| **sink == *record.name).map(|(_, slot)| slot);
        progress.extend(own.map(|slot| progress_of(record, None, slot)));
        for replay in record.replays.iter().filter(|replay| replay.state == ReplayState::Running) {
            let replay_id = replay.spec.replay_id;
            let name = cursor::replay_name(&record.name, replay_id);
            let slot = CursorFile::inspect_all(storage, &name, uuid_of(store_id))?;
            progress.extend(slot.map(|slot| progress_of(record, Some(replay_id), &slot)));
        }
    }
    Ok(progress)
}

fn progress_of(record: &SinkRecord, replay_id: Option<uuid::Uuid>, slot: &Slot) -> SinkProgress {
    // The cursor of a snapshot that has ended stands where the live events begin.
    let is_over = slot.details.kind == ProgressKind::Snapshot;
    let live = || ProgressDetails { file: slot.details.file, ..ProgressDetails::default() };
    let details = if is_over { live() } else { slot.details.clone() };
    SinkProgress { sink: Arc::clone(&record.name), replay_id, position: slot.position, details }
}
