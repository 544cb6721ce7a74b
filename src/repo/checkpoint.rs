//! What a checkpoint holds: the orders, row by row, the remembered commands, and what was decided about delivery.
//!
//! It is copied in small parts while commands go on, so it is fuzzy: everything up to the covered LSN is in it, and
//! some of what follows may be. Replaying the journal from the covered LSN mends that, because an order's version tells
//! whether a plan has been applied to it, a command's LSN whether it has been logged, and a sink's record which decisions
//! it has seen.
//!
//! ```text
//! block:    section u8 | records, each postcard; none crosses from one block to the next
//! sections: 1 meta (first, one record), 2 orders, 3 commands, 4 sinks, 5 lanes; in this order
//! ```
//!
//! A section that is unknown was written by a newer orderd.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dedup_table::{DedupEntry, DedupTable};
use super::delivery_state::{DeliveryState, LaneName, RecordedSink};
use super::meaning::MeaningCheck;
use super::state::StoreState;
use super::store::Store;
use super::stored::{StoredLane, StoredOrder, StoredSink};
use super::{OrderRow, OrderTable};
use crate::contracts::{Fingerprint, Lsn, ParkedLane, Sequence, Storage};
use crate::domain::{CommandId, OrderState};
use crate::journal::{
    CHECKPOINTS_DIR, ChainEnd, ChainPoint, CheckpointError, CheckpointReader, CheckpointWriter, StoreId,
    TEMPORARY_SUFFIX, checkpoint_name, list_checkpoints,
};

/// How much is copied at once: the time that commands wait for it is some tens of microseconds.
const PART_RECORDS: usize = 1024;
/// Lanes are larger than other records.
const PART_LANES: usize = 128;

const META: u8 = 1;
const ORDERS: u8 = 2;
const COMMANDS: u8 = 3;
const SINKS: u8 = 4;
const LANES: u8 = 5;

/// The meta section's only record. Its version is raised whenever a record of any section changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StoredMeta {
    version: u8,
    last_sequence: u64,
    orders: u64,
    epoch: u32,
    /// The sinks' section holds every decision up to this plan.
    sinks_lsn: u64,
}

const META_VERSION: u8 = 1;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StoredRow {
    order: StoredOrder,
    last_lsn: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StoredCommand {
    command_id: Uuid,
    fingerprint: Uuid,
    /// The place of its order in the orders' section, from 0.
    order_index: u32,
    version: u32,
    lsn: u64,
}

/// Where the state stood when the copying began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointBegin {
    /// The last plan that was durable, and applied.
    pub covered: ChainEnd,
    /// The last event's number then.
    pub last_sequence: Sequence,
    /// How many orders there were.
    pub orders: usize,
    /// The position of the oldest remembered command.
    pub commands_start: u64,
    /// The position behind the newest one.
    pub commands_end: u64,
    /// What was decided about sinks, but for their parked lanes.
    pub sinks: SinksCopy,
}

/// The stored form of all sinks' records without their lanes, as of one plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinksCopy {
    epoch: u32,
    lsn: Lsn,
    records: Vec<Vec<u8>>,
}

impl CheckpointBegin {
    /// Where the state of `store` stands between two batches.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        let (state, covered) = (store.state(), store.journal().durable_end());
        let sinks = state.delivery.recorded().map(|sink| {
            let stored = StoredSink::of(&sink.record, sink.registered.0);
            postcard::to_extend(&stored, Vec::new()).unwrap_or_default()
        });
        Self {
            covered,
            last_sequence: state.last_sequence,
            orders: state.orders.count(),
            commands_start: state.commands.start(),
            commands_end: state.commands.end(),
            sinks: SinksCopy { epoch: state.delivery.epoch(), lsn: covered.lsn, records: sinks.collect() },
        }
    }
}

/// The state to be copied, between two batches each time, so that all that is handed out is durable.
pub trait CheckpointSource {
    /// Where the state stands.
    ///
    /// # Errors
    /// The state cannot be reached any more.
    fn begin(&mut self) -> io::Result<CheckpointBegin>;

    /// At most `count` orders, from row `from` on.
    ///
    /// # Errors
    /// The state cannot be reached any more.
    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>>;

    /// At most `count` commands, from position `from` on, with the position behind the last of them.
    ///
    /// # Errors
    /// The state cannot be reached any more.
    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)>;

    /// At most `count` parked lanes after `after`, by sink and order.
    ///
    /// # Errors
    /// The state cannot be reached any more.
    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>>;

    /// Called after each part that was written or read back: time for others.
    ///
    /// # Errors
    /// There will be no more time for this.
    fn throttle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A store that is at hand.
impl CheckpointSource for &Store {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        Ok(CheckpointBegin::of(self))
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        Ok(self.state().orders.rows(from, count).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        Ok(self.state().commands.copy(from, count))
    }

    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        Ok(self.state().delivery.lanes_after(after, count))
    }
}

/// Writes a checkpoint, reads it back, and returns the LSN that it covers and its size in bytes.
///
/// # Errors
/// It could not be written or does not read back; nothing else was changed.
pub fn write_checkpoint(
    storage: &dyn Storage,
    store_id: StoreId,
    source: &mut dyn CheckpointSource,
) -> io::Result<WrittenCheckpoint> {
    let begin = source.begin()?;
    write_from(storage, store_id, begin, source)
}

/// The same as of an earlier plan, `covered`, after which the last event was `last_sequence`: what followed it may be in a
/// checkpoint.
///
/// # Errors
/// As [`write_checkpoint`].
pub(super) fn write_earlier_checkpoint(
    storage: &dyn Storage,
    store_id: StoreId,
    source: &mut dyn CheckpointSource,
    covered: ChainEnd,
    last_sequence: Sequence,
) -> io::Result<WrittenCheckpoint> {
    let begin = source.begin()?;
    write_from(storage, store_id, CheckpointBegin { covered, last_sequence, ..begin }, source)
}

fn write_from(
    storage: &dyn Storage,
    store_id: StoreId,
    begin: CheckpointBegin,
    source: &mut dyn CheckpointSource,
) -> io::Result<WrittenCheckpoint> {
    let mut writer = CheckpointWriter::create(storage, store_id, begin.covered)?;
    let mut block = Vec::new();
    write_meta_and_sinks(&mut writer, &begin, &mut block)?;
    write_orders(&mut writer, source, begin.orders, &mut block)?;
    write_commands(&mut writer, source, &begin, &mut block)?;
    write_lanes(&mut writer, source, &mut block)?;
    // Everything copied was durable when it was copied: a journal that does not reach this far is not the one.
    let required = source.begin()?.covered;
    let bytes = writer.finish(storage, required)?;
    read_back(storage, store_id, begin.covered.lsn, source).map_err(io::Error::other)?;
    Ok(WrittenCheckpoint { covered: begin.covered.lsn, bytes })
}

fn write_meta_and_sinks(writer: &mut CheckpointWriter, begin: &CheckpointBegin, block: &mut Vec<u8>) -> io::Result<()> {
    let meta = StoredMeta {
        version: META_VERSION,
        last_sequence: begin.last_sequence.0,
        orders: begin.orders as u64,
        epoch: begin.sinks.epoch,
        sinks_lsn: begin.sinks.lsn.0,
    };
    write_records(block, META, [meta])?;
    writer.block(block)?;
    for sink in &begin.sinks.records {
        block.clear();
        block.push(SINKS);
        block.extend_from_slice(sink);
        writer.block(block)?;
    }
    Ok(())
}

fn write_orders(
    writer: &mut CheckpointWriter,
    source: &mut dyn CheckpointSource,
    count: usize,
    block: &mut Vec<u8>,
) -> io::Result<()> {
    let mut row = 0;
    while row < count {
        let orders = source.orders(row, PART_RECORDS.min(count.saturating_sub(row)))?;
        row = row.saturating_add(orders.len());
        let stored = orders.iter().map(|row| StoredRow { order: (&row.state).into(), last_lsn: row.last_lsn.0 });
        write_records(block, ORDERS, stored)?;
        writer.block(block)?;
        source.throttle()?;
    }
    Ok(())
}

fn write_commands(
    writer: &mut CheckpointWriter,
    source: &mut dyn CheckpointSource,
    begin: &CheckpointBegin,
    block: &mut Vec<u8>,
) -> io::Result<()> {
    let mut position = begin.commands_start;
    while position < begin.commands_end {
        let (mut commands, after) = source.commands(position, PART_RECORDS)?;
        position = after;
        // Those of later plans may belong to orders that are not in the checkpoint.
        commands.retain(|command| command.lsn <= begin.covered.lsn);
        if commands.is_empty() {
            break;
        }
        write_records(block, COMMANDS, commands.iter().map(StoredCommand::from))?;
        writer.block(block)?;
        source.throttle()?;
    }
    Ok(())
}

fn write_lanes(
    writer: &mut CheckpointWriter,
    source: &mut dyn CheckpointSource,
    block: &mut Vec<u8>,
) -> io::Result<()> {
    let mut after = None;
    loop {
        let lanes = source.lanes(after.as_ref(), PART_LANES)?;
        let Some((last, _)) = lanes.last() else { return Ok(()) };
        after = Some(last.clone());
        for (name, lane) in &lanes {
            write_records(block, LANES, [StoredLane::of(&name.sink, name.order_id, lane)])?;
            writer.block(block)?;
        }
        source.throttle()?;
    }
}

impl From<&DedupEntry> for StoredCommand {
    fn from(command: &DedupEntry) -> Self {
        Self {
            command_id: command.command_id.uuid(),
            fingerprint: command.fingerprint.0,
            order_index: command.row,
            version: command.version,
            lsn: command.lsn.0,
        }
    }
}

impl From<StoredCommand> for DedupEntry {
    fn from(stored: StoredCommand) -> Self {
        Self {
            command_id: CommandId::new(stored.command_id),
            fingerprint: Fingerprint(stored.fingerprint),
            row: stored.order_index,
            version: stored.version,
            lsn: Lsn(stored.lsn),
        }
    }
}

/// A checkpoint that is durable and reads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenCheckpoint {
    /// Everything up to here is in it.
    pub covered: Lsn,
    /// Its size.
    pub bytes: u64,
}

fn write_records<T: Serialize>(
    block: &mut Vec<u8>,
    section: u8,
    records: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    block.clear();
    block.push(section);
    for record in records {
        *block = postcard::to_extend(&record, std::mem::take(block)).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Reads a whole checkpoint, every record of it, and says where the journal must agree with it.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn verify_checkpoint(
    storage: &dyn Storage,
    store_id: StoreId,
    lsn: Lsn,
) -> Result<Vec<ChainPoint>, CheckpointError> {
    let read = read_checkpoint(CheckpointReader::open(storage, store_id, lsn)?, &mut |_| Ok(()))?;
    Ok(read.reader.points())
}

/// The same, with rests between.
fn read_back(
    storage: &dyn Storage,
    store_id: StoreId,
    lsn: Lsn,
    source: &mut dyn CheckpointSource,
) -> Result<(), CheckpointError> {
    let mut records = 0_usize;
    let mut rest = |_: Record| {
        records += 1;
        if records.is_multiple_of(PART_RECORDS) { source.throttle().map_err(|error| error.to_string()) } else { Ok(()) }
    };
    read_checkpoint(CheckpointReader::open(storage, store_id, lsn)?, &mut rest).map(drop)
}

enum Record {
    Order(OrderRow),
    Command(DedupEntry),
    Sink(Box<RecordedSink>),
    Lane(Box<(LaneName, ParkedLane)>),
}

/// A checkpoint that was read to its end.
struct ReadCheckpoint {
    meta: StoredMeta,
    reader: CheckpointReader,
}

type Take<'a> = dyn FnMut(Record) -> Result<(), String> + 'a;

fn read_checkpoint(mut reader: CheckpointReader, take: &mut Take<'_>) -> Result<ReadCheckpoint, CheckpointError> {
    let mut block = Vec::new();
    let mut meta: Option<StoredMeta> = None;
    let mut check = MeaningCheck::new(reader.required.lsn);
    let mut orders = 0;
    let mut section = 0;
    while reader.next_block(&mut block)? {
        let Some((tag, records)) = block.split_first() else { continue };
        let in_order = match (*tag, meta) {
            (META, None) => true,
            (ORDERS | COMMANDS | SINKS | LANES, Some(_)) => rank(*tag) >= rank(section),
            (META | ORDERS | COMMANDS | SINKS | LANES, _) => false,
            (unknown, _) => return Err(reader.unknown(format!("section {unknown}"))),
        };
        section = *tag;
        if !in_order {
            return Err(reader.damaged("its sections are out of order"));
        }
        let read = match section {
            META => read_meta(records).map(|read| meta = Some(read)),
            ORDERS => each(records, &mut |stored: StoredRow| {
                orders += 1;
                let row = order_row(stored)?;
                check.order(&row)?;
                take(Record::Order(row))
            }),
            COMMANDS => each(records, &mut |stored: StoredCommand| {
                let command = stored.into();
                check.command(&command)?;
                take(Record::Command(command))
            }),
            SINKS => each(records, &mut |stored: StoredSink<'_>| take(Record::Sink(sink(stored, meta)?))),
            _ => each(records, &mut |stored: StoredLane<'_>| {
                let sink = Arc::from(stored.sink);
                let (order_id, lane) = stored.read().map_err(|error| error.to_string())?;
                take(Record::Lane(Box::new((LaneName { sink, order_id }, lane))))
            }),
        };
        read.map_err(|problem| reader.damaged(problem))?;
        if let Some(version) = meta.map(|meta| meta.version).filter(|version| *version != META_VERSION) {
            return Err(reader.unknown(format!("version {version} of its records")));
        }
    }
    match meta {
        Some(meta) if meta.orders == orders => Ok(ReadCheckpoint { meta, reader }),
        Some(_) | None => Err(reader.damaged("orders are missing")),
    }
}

/// The sections' order in the file; it differs from that of their numbers.
const fn rank(section: u8) -> u8 {
    match section {
        SINKS => 1,
        ORDERS => 2,
        COMMANDS => 3,
        LANES => 4,
        _ => 0,
    }
}

/// The version comes first: what follows may be of another form.
fn read_meta(records: &[u8]) -> Result<StoredMeta, String> {
    match records.first() {
        Some(version) if *version != META_VERSION => {
            Ok(StoredMeta { version: *version, last_sequence: 0, orders: 0, epoch: 0, sinks_lsn: 0 })
        }
        Some(_) | None => match postcard::take_from_bytes(records) {
            Ok((meta, [])) => Ok(meta),
            Ok(_) => Err("bytes follow its meta section".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn each<'a, T: Deserialize<'a>>(
    mut records: &'a [u8],
    take: &mut dyn FnMut(T) -> Result<(), String>,
) -> Result<(), String> {
    while !records.is_empty() {
        let (record, rest) = postcard::take_from_bytes(records).map_err(|error| error.to_string())?;
        take(record)?;
        records = rest;
    }
    Ok(())
}

fn order_row(stored: StoredRow) -> Result<OrderRow, String> {
    let state = OrderState::try_from(stored.order).map_err(|error| error.to_string())?;
    Ok(OrderRow { state, last_lsn: Lsn(stored.last_lsn) })
}

fn sink(stored: StoredSink<'_>, meta: Option<StoredMeta>) -> Result<Box<RecordedSink>, String> {
    let registered = Lsn(stored.registered_lsn);
    let record = stored.read().map_err(|error| error.to_string())?;
    Ok(Box::new(RecordedSink { record, registered, copied: Lsn(meta.map_or(0, |meta| meta.sinks_lsn)) }))
}

/// A state that was read from a checkpoint, or the empty one where there is none.
#[derive(Debug)]
pub struct LoadedState {
    /// The state.
    pub state: StoreState,
    /// The journal is replayed from here.
    pub covered: Lsn,
    /// Up to here the state may hold effects of plans already.
    pub required: Lsn,
    /// Where the journal must hold the history that the state came from.
    pub points: Vec<ChainPoint>,
    /// No journal that ends before this is the right one; also what unreadable checkpoints' names say.
    pub must_reach: Lsn,
    /// What is wrong with the checkpoints that were passed over.
    pub damaged: Vec<CheckpointError>,
}

/// Deletes the checkpoints that are not in `keep`, and what unfinished ones have left. An unreadable one is deleted only
/// when two that read have taken its place.
///
/// # Errors
/// Any I/O error from the OS; what is left over does no harm.
pub fn delete_checkpoints_but(storage: &dyn Storage, keep: &[Lsn]) -> io::Result<()> {
    for name in storage.list(CHECKPOINTS_DIR)? {
        let kept = keep.iter().any(|lsn| name == checkpoint_name(*lsn));
        if !kept {
            storage.remove(&format!("{CHECKPOINTS_DIR}/{name}"))?;
        }
    }
    storage.sync_dir(CHECKPOINTS_DIR)
}

/// Deletes what checkpoints have left that were never finished.
///
/// # Errors
/// Any I/O error from the OS; what is left over takes room and does no other harm.
pub fn delete_unfinished(storage: &dyn Storage) -> io::Result<()> {
    for name in storage.list(CHECKPOINTS_DIR)?.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)) {
        storage.remove(&format!("{CHECKPOINTS_DIR}/{name}"))?;
    }
    Ok(())
}

/// Loads the newest checkpoint that reads; an unreadable one is passed over, and kept. Where none reads, the journal
/// must reach back to its first plan, or recovery refuses: unreadable is never empty.
///
/// # Errors
/// Any I/O error from the OS, or a checkpoint was written by a newer version.
pub fn load_newest(
    storage: &dyn Storage,
    store_id: StoreId,
    command_ids_max: usize,
) -> Result<LoadedState, CheckpointError> {
    let directory = |source| CheckpointError::Io { path: CHECKPOINTS_DIR.to_owned(), source };
    let checkpoints = list_checkpoints(storage).map_err(directory)?;
    let must_reach = checkpoints.first().copied().unwrap_or_default();
    let mut damaged = Vec::new();
    for covered in checkpoints {
        match load(storage, store_id, covered, command_ids_max) {
            Ok((state, required, points)) => {
                let must_reach = must_reach.max(required);
                return Ok(LoadedState { state, covered, required, points, must_reach, damaged });
            }
            Err(error @ CheckpointError::Damaged { .. }) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    let state = StoreState::new(command_ids_max);
    let (covered, required, points) = (Lsn::ZERO, Lsn::ZERO, Vec::new());
    Ok(LoadedState { state, covered, required, points, must_reach, damaged })
}

/// The state in one checkpoint, its required LSN, and where the journal must agree with it.
fn load(
    storage: &dyn Storage,
    store_id: StoreId,
    covered: Lsn,
    command_ids_max: usize,
) -> Result<(StoreState, Lsn, Vec<ChainPoint>), CheckpointError> {
    let (mut orders, mut commands) = (OrderTable::loader(), DedupTable::new(command_ids_max));
    let mut delivery = DeliveryState::default();
    let reader = CheckpointReader::open(storage, store_id, covered)?;
    reader.read_ahead();
    let mut take = |record: Record| {
        match record {
            Record::Order(order) => orders.push(order).map_err(|error| error.to_string())?,
            Record::Command(command) => {
                if commands.find(command.command_id).is_some() {
                    return Err(format!("command {} is there twice", command.command_id));
                }
                commands.push(command);
                commands.evict();
            }
            Record::Sink(sink) => delivery.insert_recorded(*sink)?,
            Record::Lane(lane) => {
                let (name, lane) = *lane;
                delivery.insert_lane(&name.sink, name.order_id, lane)?;
            }
        }
        Ok(())
    };
    let ReadCheckpoint { meta, reader } = read_checkpoint(reader, &mut take)?;
    let orders = orders.finish().map_err(|error| reader.damaged(error.to_string()))?;
    delivery.set_epoch(meta.epoch);
    let last_sequence = Sequence(meta.last_sequence);
    let state = StoreState { orders, commands, delivery, last_sequence };
    Ok((state, reader.required.lsn, reader.points()))
}
