//! Which sinks the store knows, and which the configuration names: each new one is recorded, with its cursor, before its
//! worker begins.

use std::sync::Arc;

use super::AppError;
use super::cursors::{ReadCursors, uuid_of};
use super::sink_options::SinkOptions;
use crate::config::SinkStart;
use crate::contracts::{
    Clock, CommitError, Decision, DecisionKind, EventHistory as _, FeedError, FeedPosition, PlanStore as _,
    Progress as _, ProgressDetails, ProgressError, ProgressKind, Sequence, SinkRecord, SinkStartPoint, SnapshotStart,
};
use crate::journal::{CURSORS_DIR, JournalHandle};
use crate::relay::MakeCursor;
use crate::repo::{CursorFile, DurableSequence, JournalHistory, JournalOutbox, RecoveredStore, Store, cursor, lsn_of};

/// The cursors of recorded sinks, by name.
pub(super) type Cursors = Vec<(String, CursorFile)>;

/// What a start has found of its sinks, and has not changed yet.
pub(super) struct FoundSinks<'a> {
    cursors: Cursors,
    /// Sinks that have a cursor and no record.
    leftovers: Vec<String>,
    /// Sinks that have no record, and where each begins.
    new: Vec<(&'a SinkOptions, FeedPosition)>,
}

/// Compares cursors, records and configuration, and changes nothing.
///
/// # Errors
/// A record without a cursor is damage, and so is what a new sink is to begin with where it does not read. Two types for
/// one sink, or a start before what is held, is the configuration's fault.
pub(super) fn check_sinks<'a>(
    found: &RecoveredStore,
    sinks: &'a [SinkOptions],
    cursors: ReadCursors<CursorFile>,
) -> Result<FoundSinks<'a>, AppError> {
    let records = &found.state().delivery;
    let mut leftovers = cursors.damaged_leftovers(|sink| records.sink(sink).is_some())?;
    let cursors = cursors.sound;
    for record in records.sinks() {
        check_cursor_of(&record.name, cursors.iter().map(|(name, _)| name.as_str()))?;
        check_type(record, sinks)?;
        if let Some((_, cursor)) = cursors.iter().find(|(name, _)| **name == *record.name) {
            check_snapshot(record, cursor.position(), cursor.details())?;
        }
    }
    let (cursors, unrecorded): (Vec<_>, Vec<_>) =
        cursors.into_iter().partition(|(name, _)| records.sink(name).is_some());
    leftovers.extend(unrecorded.into_iter().map(|(name, _)| name));
    let mut new = Vec::new();
    for sink in sinks.iter().filter(|sink| records.sink(&sink.worker.name).is_none()) {
        new.push((sink, start_position(sink, found)?));
    }
    Ok(FoundSinks { cursors, leftovers, new })
}

/// The sinks of a start, each with a record and a cursor, or with what will make them.
pub(super) struct RegisteredSinks {
    /// The cursors of all sinks, by name.
    pub(super) cursors: Cursors,
    /// New sinks that there was no room for.
    pub(super) late: Vec<LateSink>,
}

/// A new sink, and where it begins.
#[derive(Debug, Clone)]
pub(super) struct NewSink {
    pub(super) name: Arc<str>,
    pub(super) position: FeedPosition,
    kind: ProgressKind,
}

impl NewSink {
    fn details(&self) -> ProgressDetails {
        ProgressDetails { kind: self.kind, ..ProgressDetails::default() }
    }
}

/// A new sink that there was no room for.
pub(super) struct LateSink {
    /// Where it begins.
    pub(super) sink: NewSink,
    /// The same, as it will be recorded: a snapshot is as of this start, whenever there is room for the record.
    pub(super) record: SinkRecord,
    /// Whether its cursor found room.
    pub(super) has_cursor: bool,
}

/// Records what is new. On return each configured sink has a record and a cursor, or waits for room, and each cursor has
/// a record.
///
/// The order is what makes a crash in between harmless:
/// 1. a cursor without a record is a leftover, of a sink that was forgotten or of a start that got no further than 2:
///    it goes;
/// 2. the cursors of new sinks are made durable;
/// 3. only then are the sinks recorded, and those again whose type has changed.
///
/// A full disk keeps nobody from starting: see [`Registration`](crate::relay::Registration).
pub(super) fn register(
    store: &mut Store,
    journal: &JournalHandle,
    clock: &dyn Clock,
    sinks: &[SinkOptions],
    found: FoundSinks<'_>,
) -> Result<RegisteredSinks, AppError> {
    let FoundSinks { mut cursors, leftovers, new } = found;
    remove_leftovers(journal, &leftovers)?;
    let mut late = Vec::new();
    for (sink, position) in new {
        let start = start_of(sink, position, store);
        let kind = if start.snapshot.is_some() { ProgressKind::Snapshot } else { ProgressKind::Live };
        let sink = NewSink { name: sink.worker.name.as_str().into(), position, kind };
        let record = SinkRecord::new(Arc::clone(&sink.name), start);
        let (cursor, has_cursor) = make_cursor(&sink, journal)?;
        cursors.push((sink.name.to_string(), cursor));
        late.push(LateSink { sink, record, has_cursor });
    }
    let with_cursor = late.iter().filter(|late| late.has_cursor);
    let mut decisions: Vec<_> =
        with_cursor.map(|late| registered(&late.sink.name, late.record.start.clone(), clock)).collect();
    for sink in sinks {
        let record = store.sink(&sink.worker.name);
        if let Some(record) = record.filter(|record| record.start.sink_type != sink.worker.sink_type) {
            let start = SinkStartPoint { sink_type: sink.worker.sink_type, ..record.start.clone() };
            decisions.push(registered(&record.name, start, clock));
        }
    }
    if !decisions.is_empty() {
        store.make_room()?;
        match store.stage_decisions(None, decisions).and_then(|_| store.commit()) {
            Ok(_) => {
                let recorded = late.extract_if(.., |late| late.has_cursor);
                recorded.for_each(|LateSink { sink, .. }| {
                    tracing::info!(sink = &*sink.name, after = %sink.position.sequence, "a new sink starts");
                });
            }
            Err(CommitError::Full(error)) => {
                tracing::error!(%error, "no room to record new sinks, or another type: they begin when there is");
            }
            Err(
                other @ (CommitError::Failed { .. }
                | CommitError::Conflict { .. }
                | CommitError::Unavailable(_)
                | CommitError::Unknown(_)),
            ) => return Err(other.into()),
        }
    }
    Ok(RegisteredSinks { cursors, late })
}

fn start_of(sink: &SinkOptions, position: FeedPosition, store: &Store) -> SinkStartPoint {
    SinkStartPoint {
        sink_type: sink.worker.sink_type,
        after: position.sequence,
        snapshot: (sink.start == SinkStart::Snapshot).then(|| SnapshotStart {
            orders: store.orders_count(),
            epoch: store.epoch(),
            lsn: lsn_of(&position),
        }),
        source: store.event_source(),
    }
}

/// The cursor of a new sink, and whether there was room for it.
fn make_cursor(sink: &NewSink, journal: &JournalHandle) -> Result<(CursorFile, bool), AppError> {
    let (storage, store_id) = (&journal.storage, uuid_of(journal.store_id));
    match CursorFile::create_with(storage.as_ref(), &sink.name, store_id, sink.position, sink.details()) {
        Ok(cursor) => Ok((cursor, true)),
        Err(error) if error.is_no_room() => {
            tracing::error!(sink = &*sink.name, %error, "no room for the cursor of a new sink: it begins when there is");
            let planned = CursorFile::planned(Arc::clone(storage), &sink.name, store_id, sink.position, sink.details());
            Ok((planned, false))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the cursor of a new sink once there is room.
pub(super) fn make_cursor_later(journal: &JournalHandle, sink: &NewSink) -> MakeCursor {
    let (storage, store_id, sink) = (Arc::clone(&journal.storage), uuid_of(journal.store_id), sink.clone());
    Box::new(move || {
        let made = CursorFile::create_with(storage.as_ref(), &sink.name, store_id, sink.position, sink.details());
        made.map(drop).map_err(|error| {
            let problem = error.to_string();
            if error.is_no_room() { ProgressError::TryAgain(problem) } else { ProgressError::Unknown(problem) }
        })
    })
}

/// Refuses another type for a sink that still has what only its old type can settle.
fn check_type(record: &SinkRecord, sinks: &[SinkOptions]) -> Result<(), AppError> {
    let configured = sinks.iter().find(|sink| *sink.worker.name == *record.name);
    let is_busy = !record.lanes.is_empty() || record.snapshot_running || record.runs_a_replay();
    match configured.filter(|sink| is_busy && sink.worker.sink_type != record.start.sink_type) {
        None => Ok(()),
        Some(sink) => Err(AppError::Config(format!(
            "sinks: sink {} was of another type, and still has parked lanes, a snapshot or a replay; settle those under \
             the old type first, or take another name",
            sink.worker.name
        ))),
    }
}

/// Refuses a cursor that cannot be the one of a snapshot under way: it would skip orders, or hand all of them out again.
pub(super) fn check_snapshot(
    record: &SinkRecord,
    position: FeedPosition,
    details: &ProgressDetails,
) -> Result<(), AppError> {
    let Some(start) = record.running_snapshot() else { return Ok(()) };
    let farthest = details.rows.saturating_add(details.window.settled().last().unwrap_or(0));
    let is_its_own = details.kind == ProgressKind::Snapshot && position.sequence == record.start.after;
    if is_its_own && farthest <= start.orders {
        return Ok(());
    }
    let (path, orders) = (cursor::path_of(&record.name), start.orders);
    Err(AppError::Damaged(format!(
        "{path}: it is not the cursor of a snapshot of {orders} orders, which sink {} is being handed",
        record.name
    )))
}

/// Refuses a recorded sink that is not among those with a cursor.
pub(super) fn check_cursor_of<'a>(name: &str, mut with_cursor: impl Iterator<Item = &'a str>) -> Result<(), AppError> {
    if with_cursor.any(|sink| sink == name) {
        return Ok(());
    }
    let path = cursor::path_of(name);
    Err(AppError::Damaged(format!(
        "{path}: damaged at offset 0: the file is missing; it says how far sink {name} has come, and without it events \
         would be skipped or repeated: put it back from a backup"
    )))
}

fn remove_leftovers(journal: &JournalHandle, leftovers: &[String]) -> Result<(), AppError> {
    if leftovers.is_empty() {
        return Ok(());
    }
    let failed = |error: std::io::Error| AppError::io(format!("removing a leftover cursor: {error}"), &error);
    for name in leftovers {
        tracing::warn!(sink = name, "removed the cursor of a sink that is not recorded");
        journal.storage.remove(&cursor::path_of(name)).map_err(failed)?;
    }
    journal.storage.sync_dir(CURSORS_DIR).map_err(failed)
}

fn start_position(sink: &SinkOptions, found: &RecoveredStore) -> Result<FeedPosition, AppError> {
    let (journal, last_sequence) = (found.files(), found.state().last_sequence);
    match sink.start {
        SinkStart::Beginning => Ok(JournalOutbox::beginning(journal.clone(), last_sequence)?),
        // Of a snapshot this is what the orders are as of: nothing is decided before the workers run.
        SinkStart::Now | SinkStart::Snapshot => Ok(JournalOutbox::end(journal, last_sequence)),
        SinkStart::Sequence(sequence) => {
            let history = JournalHistory::new(journal.clone(), Arc::new(DurableSequence::new(last_sequence)));
            match history.open_after(Sequence(sequence.saturating_sub(1))) {
                Ok(feed) => Ok(feed.position()),
                Err(error @ FeedError::NotHeld { .. }) => {
                    Err(AppError::Config(format!("sinks: start_sequence of sink {}: {error}", sink.worker.name)))
                }
                Err(error) => Err(error.into()),
            }
        }
    }
}

fn registered(sink: &Arc<str>, start: SinkStartPoint, clock: &dyn Clock) -> Decision {
    Decision {
        sink: Arc::clone(sink),
        at: clock.now(),
        uid: rustix::process::geteuid().as_raw(),
        reason: Arc::from(""),
        kind: DecisionKind::Registered(start),
    }
}
