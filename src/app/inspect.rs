//! `verify` and `dump`: read a store, change nothing, also while a daemon writes it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::AppError;
use super::cursors::{ReadCursors, inspect_cursors};
use super::machine::open_storage;
use super::registration::{check_cursor_of, check_snapshot};
use crate::backup::{check as check_backup, is_backup};
use crate::contracts::{DecisionView, Lsn, Mutation, SinkRecord, SnapshotStart, Storage, write_order};
use crate::journal::{
    IdentityError, RedoFrame, RedoRange, StoreId, inspect, list_checkpoints, list_segments, oldest_lsn, open_backup,
    open_store, per_frame, sync_up_to,
};
use crate::relay::cloud_event;
use crate::repo::cursor_format::Slot;
use crate::repo::{
    Inspection, PlanRecord, SinkPosition, cursor, inspect_in_shares, inspect_positions, lsn_of, published,
    verify_checkpoint,
};
use crate::storage::StoreLock;

/// A store that a daemon writes changes while it is read: a look that finds damage is repeated so often.
const LOOKS_MAX: u32 = 5;

struct ReadOnly {
    storage: Arc<dyn Storage>,
    store_id: StoreId,
    /// By sink: what its cursor says.
    cursors: ReadCursors<Slot>,
}

impl ReadOnly {
    fn open(data_dir: &Path) -> Result<Self, AppError> {
        let storage = open_storage(data_dir)?;
        match open_store(storage.as_ref()) {
            Err(IdentityError::Missing) if !is_backup(storage.as_ref()) => {
                Err(AppError::Io(format!("there is no store in {}", data_dir.display())))
            }
            Err(IdentityError::Missing | IdentityError::Backup | IdentityError::Damaged(_))
                if is_backup(storage.as_ref()) =>
            {
                check_backup(storage.as_ref(), data_dir)?;
                let store_id = open_backup(storage.as_ref())?;
                Self::of(storage, store_id)
            }
            opened => Self::of(storage, opened?),
        }
    }

    fn of(storage: Arc<dyn Storage>, store_id: StoreId) -> Result<Self, AppError> {
        let cursors = inspect_cursors(storage.as_ref(), store_id)?;
        Ok(Self { storage, store_id, cursors })
    }

    fn must_reach(&self) -> Lsn {
        self.cursors.sound.iter().map(|(_, cursor)| lsn_of(&cursor.position)).max().unwrap_or_default()
    }
}

fn look<T>(data_dir: &Path, mut at: impl FnMut(&ReadOnly) -> Result<T, AppError>) -> Result<T, AppError> {
    let mut looks = 1;
    loop {
        match ReadOnly::open(data_dir).and_then(|store| at(&store)) {
            Err(AppError::Damaged(_) | AppError::Io(_)) if looks < LOOKS_MAX && StoreLock::is_held(data_dir) => {}
            done => return done,
        }
        looks += 1;
    }
}

/// Reads the whole store, changes nothing, and writes what it found.
///
/// # Errors
/// Damage, or a store that cannot be read.
pub fn verify_store(data_dir: &Path, out: &mut dyn Write) -> Result<(), AppError> {
    let report = look(data_dir, verify)?;
    out.write_all(report.as_bytes()).map_err(|error| AppError::io(format!("writing: {error}"), &error))
}

/// The same for a store that lies anywhere and that nobody writes; gives what was found.
///
/// # Errors
/// Damage, or a store that cannot be read.
pub fn verify_storage(storage: Arc<dyn Storage>) -> Result<String, AppError> {
    let store_id = open_store(storage.as_ref())?;
    verify(&ReadOnly::of(storage, store_id)?)
}

fn verify(store: &ReadOnly) -> Result<String, AppError> {
    let storage = store.storage.as_ref();
    // Every segment that is there, also those that a start would not need.
    let oldest = oldest_lsn(storage)?;
    // Every checkpoint.
    let checkpoints = list_checkpoints(storage)
        .map_err(|error| AppError::of_store(format!("listing the checkpoints: {error}"), &error))?;
    let (mut points, mut orders_about) = (Vec::new(), 0);
    for lsn in &checkpoints {
        let verified = verify_checkpoint(storage, store.store_id, *lsn)?;
        points.extend(verified.points);
        orders_about = verified.orders.max(orders_about);
    }
    points.sort_by_key(|point| point.lsn);
    let newest = checkpoints.first().copied().unwrap_or_default();
    orders_about = orders_about.saturating_add(journal_end(store)?.since(newest));
    // What a start would make of it: this look says up to where, also if a daemon goes on writing.
    let found = inspect_in_shares(storage, store.store_id, store.must_reach(), orders_about)?;
    store.cursors.damaged_leftovers(|sink| found.delivery.sink(sink).is_some())?;
    for record in found.delivery.sinks() {
        check_cursor_of(&record.name, store.cursors.sound.iter().map(|(sink, _)| sink.as_str()))?;
        if let Some((_, slot)) = store.cursors.sound.iter().find(|(sink, _)| **sink == *record.name) {
            check_snapshot(record, slot.position, &slot.details)?;
        }
    }
    let last = found.report.journal.last_lsn;
    let range = RedoRange { after: Lsn(oldest.0.saturating_sub(1)), must_reach: store.must_reach(), points };
    let mut plans = 0_u64;
    let count = |frame: RedoFrame<'_>| {
        plans += u64::from(frame.lsn <= last);
        Ok(PlanRecord::decode(frame.body).map(drop)?)
    };
    inspect(storage, store.store_id, &range, &mut per_frame(count))?;
    let position =
        |(sink, slot): &(String, Slot)| SinkPosition { path: cursor::path_of(sink), position: slot.position };
    let cursors: Vec<_> = store.cursors.sound.iter().map(position).collect();
    inspect_positions(&store.storage, store.store_id, last, &cursors)?;
    Ok(describe(store, &found, oldest, plans, &checkpoints))
}

/// The last plan of the journal, by a look at its last segment alone.
fn journal_end(store: &ReadOnly) -> Result<Lsn, AppError> {
    let storage = store.storage.as_ref();
    let segments =
        list_segments(storage).map_err(|error| AppError::of_store(format!("listing the journal: {error}"), &error))?;
    let after = segments.last().copied().unwrap_or_default();
    let range = RedoRange { after, must_reach: store.must_reach(), points: Vec::new() };
    Ok(inspect(storage, store.store_id, &range, &mut |_| Ok(()))?.last_lsn)
}

fn describe(store: &ReadOnly, found: &Inspection, oldest: Lsn, plans: u64, checkpoints: &[Lsn]) -> String {
    let report = &found.report;
    let mut lines = vec![format!("store {} is sound", store.store_id)];
    let unit = if plans == 1 { "plan" } else { "plans" };
    lines.push(format!("journal: {plans} {unit}, LSN {oldest} to {}", report.journal.last_lsn));
    if let Some(tail) = &report.journal.torn_tail {
        let (path, offset, bytes) = (&tail.path, tail.offset, tail.bytes);
        lines.push(format!("unfinished batch: {bytes} bytes of {path} from offset {offset}; never acknowledged"));
    }
    let covered: Vec<_> = checkpoints.iter().map(ToString::to_string).collect();
    let covered = if covered.is_empty() { "none".to_owned() } else { format!("LSN {}", covered.join(", ")) };
    lines.push(format!("checkpoints: {covered}"));
    lines.push(format!("orders: {}; last event: {}", found.orders, found.last_sequence));
    for (sink, slot) in &store.cursors.sound {
        let (sequence, lsn, rows) = (slot.position.sequence, lsn_of(&slot.position), slot.details.rows);
        let snapshot = found.delivery.sink(sink).and_then(SinkRecord::running_snapshot);
        lines.push(snapshot.map_or_else(
            || format!("sink {sink}: acknowledged event {sequence}, LSN {lsn}"),
            |SnapshotStart { orders, .. }| {
                format!(
                    "sink {sink}: acknowledged {rows} of {orders} orders of its snapshot as of event {sequence}, LSN {lsn}"
                )
            },
        ));
    }
    lines.join("\n") + "\n"
}

/// Writes the plans from `from` on, as far as the journal still holds them, as lines of JSON: each is told from itself alone,
/// so that nothing before `from` is read but its segment, and nothing is kept in memory.
///
/// # Errors
/// Damage, or a store that cannot be read.
pub fn dump_store(data_dir: &Path, from: Lsn, out: &mut dyn Write) -> Result<(), AppError> {
    let ((storage, store_id), last) = look(data_dir, |store| {
        let last = journal_end(store)?;
        // Nothing that a power cut could take back is shown.
        if StoreLock::is_held(data_dir) {
            sync_up_to(store.storage.as_ref(), last)?;
        }
        Ok(((Arc::clone(&store.storage), store.store_id), last))
    })?;
    let oldest = oldest_lsn(storage.as_ref())?;
    let range = RedoRange { after: Lsn(oldest.max(from).0.saturating_sub(1)), ..RedoRange::default() };
    if range.after > last {
        return Ok(());
    }
    let mut line = Vec::new();
    let mut written: io::Result<()> = Ok(());
    let mut reached = range.after;
    let write = |frame: RedoFrame<'_>| {
        if frame.lsn > last || written.is_err() {
            return Ok(());
        }
        line.clear();
        write_plan(frame.lsn, PlanRecord::decode(frame.body)?, &mut line)?;
        written = out.write_all(&line);
        reached = frame.lsn;
        Ok(())
    };
    let read = inspect(storage.as_ref(), store_id, &range, &mut per_frame(write));
    written.map_err(|error| AppError::io(format!("writing: {error}"), &error))?;
    match read {
        // The daemon goes on after what was there at the beginning. If it deleted what was still to be read, the dump has a hole
        // at its end, and says so.
        Err(_) if reached >= last && StoreLock::is_held(data_dir) => Ok(()),
        read => Ok(read.map(drop)?),
    }
}

fn write_plan(lsn: Lsn, plan: PlanRecord<'_>, line: &mut Vec<u8>) -> Result<(), String> {
    if let Some(decision) = plan.mutations.iter().find_map(Mutation::decision) {
        serde_json::to_writer(&mut *line, &DecisionView::new(lsn, decision)).map_err(|error| error.to_string())?;
        line.push(b'\n');
        return Ok(());
    }
    let order = plan.order_after().ok_or("a plan without an order")?;
    line.extend_from_slice(format!("{{\"lsn\":{lsn},\"order\":").as_bytes());
    write_order(line, &order);
    line.extend_from_slice(b",\"events\":[");
    let source = plan.source.into();
    for (index, event) in published(plan, &source).enumerate() {
        if index > 0 {
            line.push(b',');
        }
        cloud_event::render(&event, line).map_err(|error| error.to_string())?;
    }
    line.extend_from_slice(b"]}\n");
    Ok(())
}
