//! Which sinks the store knows, and which the configuration names: each new one is recorded, with its cursor, before its
//! worker begins.

use std::sync::Arc;

use super::AppError;
use super::core::{SinkOptions, uuid_of};
use crate::config::SinkStart;
use crate::contracts::{
    Clock, CommitError, Decision, DecisionKind, EventHistory as _, FeedPosition, PlanStore as _, Sequence,
    SinkStartPoint,
};
use crate::journal::{CURSORS_DIR, JournalHandle};
use crate::repo::{CursorFile, JournalHistory, JournalOutbox, Store, cursor};

/// The cursors of recorded sinks, by name.
pub(super) type Cursors = Vec<(String, CursorFile)>;

/// Compares cursors, records and configuration, and records what is new. On return each configured sink has a record and
/// a cursor, and each cursor has a record.
///
/// The order is what makes a crash in between harmless:
/// 1. a record without a cursor is damage, and nothing is changed;
/// 2. a cursor without a record is a leftover, of a sink that was forgotten or of a start that got no further than 3:
///    it goes;
/// 3. the cursors of new sinks are made durable;
/// 4. only then are the sinks recorded, and those again whose type has changed.
pub(super) fn register(
    store: &mut Store,
    journal: &JournalHandle,
    clock: &dyn Clock,
    sinks: &[SinkOptions],
    mut cursors: Cursors,
) -> Result<Cursors, AppError> {
    check_records(store, sinks, &cursors)?;
    remove_leftovers(store, journal, &mut cursors)?;
    let mut decisions = Vec::new();
    for sink in sinks.iter().filter(|sink| store.sink(&sink.worker.name).is_none()) {
        let name = &sink.worker.name;
        let position = start_position(sink, store, journal)?;
        let cursor = CursorFile::create(journal.storage.as_ref(), name, uuid_of(journal.store_id), position)?;
        tracing::info!(sink = name, after = %position.sequence, "a new sink starts");
        cursors.push((name.clone(), cursor));
        let start = SinkStartPoint {
            sink_type: sink.worker.sink_type,
            after: position.sequence,
            snapshot: sink.start == SinkStart::Snapshot,
            source: store.event_source(),
        };
        decisions.push(registered(sink, start, clock));
    }
    for sink in sinks {
        let record = store.sink(&sink.worker.name);
        if let Some(record) = record.filter(|record| record.start.sink_type != sink.worker.sink_type) {
            let start = SinkStartPoint { sink_type: sink.worker.sink_type, ..record.start.clone() };
            decisions.push(registered(sink, start, clock));
        }
    }
    if !decisions.is_empty() {
        store.make_room()?;
        store.stage_decisions(None, decisions).and_then(|_| store.commit()).map(drop).map_err(|error| match error {
            CommitError::Full(source) => AppError::Io(format!("no room to record a new sink: {source}")),
            other @ (CommitError::Failed { .. }
            | CommitError::Conflict { .. }
            | CommitError::Unavailable(_)
            | CommitError::Unknown(_)) => other.into(),
        })?;
    }
    Ok(cursors)
}

fn check_records(store: &Store, sinks: &[SinkOptions], cursors: &Cursors) -> Result<(), AppError> {
    for record in store.sinks() {
        check_cursor_of(&record.name, cursors.iter().map(|(name, _)| name.as_str()))?;
        let configured = sinks.iter().find(|sink| *sink.worker.name == *record.name);
        let is_busy = !record.lanes.is_empty() || record.snapshot_running || record.runs_a_replay();
        if let Some(sink) = configured.filter(|sink| is_busy && sink.worker.sink_type != record.start.sink_type) {
            let name = &sink.worker.name;
            return Err(AppError::Config(format!(
                "sinks: sink {name} was of another type, and still has parked lanes, a snapshot or a replay; settle \
                 those under the old type first, or take another name"
            )));
        }
    }
    Ok(())
}

/// Refuses a recorded sink that is not among those with a cursor.
pub(super) fn check_cursor_of<'a>(name: &str, mut with_cursor: impl Iterator<Item = &'a str>) -> Result<(), AppError> {
    if with_cursor.any(|sink| sink == name) {
        return Ok(());
    }
    let path = cursor::path_of(name);
    Err(AppError::Damaged(format!(
        "{path}: missing; it says how far sink {name} has come, and without it events would be skipped or repeated: \
         put it back from a backup"
    )))
}

fn remove_leftovers(store: &Store, journal: &JournalHandle, cursors: &mut Cursors) -> Result<(), AppError> {
    let (kept, leftovers): (Vec<_>, Vec<_>) = cursors.drain(..).partition(|(name, _)| store.sink(name).is_some());
    *cursors = kept;
    if leftovers.is_empty() {
        return Ok(());
    }
    let failed = |error: std::io::Error| AppError::io(format!("removing a leftover cursor: {error}"), &error);
    for (name, _) in leftovers {
        tracing::warn!(sink = name, "removed the cursor of a sink that is not recorded");
        journal.storage.remove(&cursor::path_of(&name)).map_err(failed)?;
    }
    journal.storage.sync_dir(CURSORS_DIR).map_err(failed)
}

fn start_position(sink: &SinkOptions, store: &Store, journal: &JournalHandle) -> Result<FeedPosition, AppError> {
    let last_sequence = store.state().last_sequence;
    match sink.start {
        SinkStart::Beginning => JournalOutbox::beginning(journal.clone(), last_sequence).map_err(AppError::of_backlog),
        SinkStart::Now => Ok(JournalOutbox::end(journal, last_sequence)),
        // Refused rather than taken for "now": a consumer that counts on the snapshot would miss every order of before.
        SinkStart::Snapshot => Err(AppError::Config(format!(
            "sinks: sink {} asks for start = \"snapshot\", which is not built yet; \"beginning\" or \"now\" would be right",
            sink.worker.name
        ))),
        SinkStart::Sequence(sequence) => {
            let after = Sequence(sequence.saturating_sub(1));
            let history = JournalHistory::new(journal.clone(), Arc::clone(store.durable_sequence()));
            Ok(history.open_after(after).map_err(AppError::of_backlog)?.position())
        }
    }
}

fn registered(sink: &SinkOptions, start: SinkStartPoint, clock: &dyn Clock) -> Decision {
    Decision {
        sink: Arc::from(sink.worker.name.as_str()),
        at: clock.now(),
        uid: rustix::process::geteuid().as_raw(),
        reason: Arc::from(""),
        kind: DecisionKind::Registered(start),
    }
}
