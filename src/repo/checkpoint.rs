//! What a checkpoint holds: the orders, row by row, and the remembered commands.
//!
//! It is copied in small parts while commands go on, so it is fuzzy: everything up to the covered LSN is in it, and
//! some of what follows may be. Replaying the journal from the covered LSN mends that, because an order's version tells
//! whether a plan has been applied to it, and a command's LSN whether it has been logged.
//!
//! The first block is the postcard form of `Meta`; then blocks of orders until `Meta::orders` are read; then blocks of
//! commands until the end. No record crosses from one block to the next.

use std::io;

use serde::{Deserialize, Serialize};

use super::dedup_table::{DedupEntry, DedupTable};
use super::order_repo::OrderTable;
use super::store::StoreState;
use crate::contracts::{Lsn, Sequence, Storage};
use crate::domain::OrderState;
use crate::journal::{
    CHECKPOINTS_DIR, CheckpointError, CheckpointReader, CheckpointWriter, StoreId, TEMPORARY_SUFFIX, checkpoint_name,
    list_checkpoints,
};

/// How much is copied at once: the time that commands wait for it is some tens of microseconds.
const PART_RECORDS: usize = 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    last_sequence: Sequence,
    orders: u64,
}

/// Where the state stood when the copying began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointBegin {
    /// The last plan that was durable, and applied.
    pub covered: Lsn,
    /// The last event's number then.
    pub last_sequence: Sequence,
    /// How many orders there were.
    pub orders: usize,
    /// The position of the oldest remembered command.
    pub commands_start: u64,
    /// The position behind the newest one.
    pub commands_end: u64,
}

impl CheckpointBegin {
    /// Where `state` stands, which holds everything up to `durable_lsn` and nothing else.
    #[must_use]
    pub fn of(state: &StoreState, durable_lsn: Lsn) -> Self {
        Self {
            covered: durable_lsn,
            last_sequence: state.last_sequence,
            orders: state.orders.count(),
            commands_start: state.commands.start(),
            commands_end: state.commands.end(),
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
    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderState>>;

    /// At most `count` commands, from position `from` on, with the position behind the last of them.
    ///
    /// # Errors
    /// The state cannot be reached any more.
    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)>;

    /// Called after each part that was written or read back: time for others.
    ///
    /// # Errors
    /// There will be no more time for this.
    fn throttle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a checkpoint, reads it back, and gives the LSN that it covers and its size in bytes.
///
/// # Errors
/// It could not be written or does not read back; nothing else was changed.
pub fn write_checkpoint(
    storage: &dyn Storage,
    store_id: StoreId,
    source: &mut dyn CheckpointSource,
) -> io::Result<WrittenCheckpoint> {
    let begin = source.begin()?;
    let mut writer = CheckpointWriter::create(storage, store_id, begin.covered)?;
    let mut block = Vec::new();
    write_records(&mut block, [Meta { last_sequence: begin.last_sequence, orders: begin.orders as u64 }])?;
    writer.block(&block)?;
    let mut row = 0;
    while row < begin.orders {
        let orders = source.orders(row, PART_RECORDS.min(begin.orders.saturating_sub(row)))?;
        row = row.saturating_add(orders.len());
        write_records(&mut block, orders)?;
        writer.block(&block)?;
        source.throttle()?;
    }
    let mut position = begin.commands_start;
    while position < begin.commands_end {
        let (commands, behind) = source.commands(position, PART_RECORDS)?;
        position = behind;
        if commands.is_empty() {
            break;
        }
        write_records(&mut block, commands)?;
        writer.block(&block)?;
        source.throttle()?;
    }
    // Everything copied was durable when it was copied: a journal that does not reach this far is not the one.
    let required = source.begin()?.covered;
    let bytes = writer.finish(storage, required)?;
    read_back(storage, store_id, begin.covered, source).map_err(io::Error::other)?;
    Ok(WrittenCheckpoint { covered: begin.covered, bytes })
}

/// A checkpoint that is durable and reads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenCheckpoint {
    /// Everything up to here is in it.
    pub covered: Lsn,
    /// Its size.
    pub bytes: u64,
}

fn write_records<T: Serialize>(block: &mut Vec<u8>, records: impl IntoIterator<Item = T>) -> io::Result<()> {
    block.clear();
    for record in records {
        *block = postcard::to_extend(&record, std::mem::take(block)).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Reads a whole checkpoint, every record of it, and keeps nothing.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn verify_checkpoint(storage: &dyn Storage, store_id: StoreId, lsn: Lsn) -> Result<(), CheckpointError> {
    read_checkpoint(CheckpointReader::open(storage, store_id, lsn)?, |_| Ok(())).map(drop)
}

/// The same, with rests between.
fn read_back(
    storage: &dyn Storage,
    store_id: StoreId,
    lsn: Lsn,
    source: &mut dyn CheckpointSource,
) -> Result<(), CheckpointError> {
    let mut records = 0_usize;
    let rest = |_| {
        records += 1;
        if records.is_multiple_of(PART_RECORDS) { source.throttle().map_err(|error| error.to_string()) } else { Ok(()) }
    };
    read_checkpoint(CheckpointReader::open(storage, store_id, lsn)?, rest).map(drop)
}

enum Record {
    Order(OrderState),
    Command(DedupEntry),
}

/// A checkpoint that was read to its end.
struct ReadCheckpoint {
    last_sequence: Sequence,
    reader: CheckpointReader,
}

fn read_checkpoint(
    mut reader: CheckpointReader,
    mut take: impl FnMut(Record) -> Result<(), String>,
) -> Result<ReadCheckpoint, CheckpointError> {
    let mut block = Vec::new();
    let mut meta: Option<Meta> = None;
    let mut orders = 0;
    while reader.next_block(&mut block)? {
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let read = match &meta {
                None => postcard::take_from_bytes(rest).map(|(read, behind)| {
                    meta = Some(read);
                    (None, behind)
                }),
                Some(meta) if orders < meta.orders => postcard::take_from_bytes(rest).map(|(state, behind)| {
                    orders += 1;
                    (Some(Record::Order(state)), behind)
                }),
                Some(_) => {
                    postcard::take_from_bytes(rest).map(|(command, behind)| (Some(Record::Command(command)), behind))
                }
            };
            let (record, behind) = read.map_err(|error| reader.damaged(error.to_string()))?;
            rest = behind;
            if let Some(record) = record {
                take(record).map_err(|problem| reader.damaged(problem))?;
            }
        }
    }
    match meta {
        Some(meta) if meta.orders == orders => Ok(ReadCheckpoint { last_sequence: meta.last_sequence, reader }),
        Some(_) | None => Err(reader.damaged("orders are missing")),
    }
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
    /// No journal that ends before this is the right one; also what unreadable checkpoints' names say.
    pub must_reach: Lsn,
    /// What is wrong with the checkpoints that were passed over.
    pub damaged: Vec<CheckpointError>,
}

/// Deletes the checkpoints that are not in `keep`, and what unfinished ones have left. An unreadable one is deleted only
/// when two that read have taken its place.
///
/// # Errors
/// The system says no; what is left over does no harm.
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
/// The system says no; what is left over takes room and does no other harm.
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
/// The system says no, or a checkpoint is a later orderd's.
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
            Ok((state, required)) => {
                return Ok(LoadedState { state, covered, required, must_reach: must_reach.max(required), damaged });
            }
            Err(error @ CheckpointError::Damaged { .. }) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    let state = StoreState::new(command_ids_max);
    Ok(LoadedState { state, covered: Lsn::ZERO, required: Lsn::ZERO, must_reach, damaged })
}

/// The state in one checkpoint, and its required LSN.
fn load(
    storage: &dyn Storage,
    store_id: StoreId,
    covered: Lsn,
    command_ids_max: usize,
) -> Result<(StoreState, Lsn), CheckpointError> {
    let (mut orders, mut commands) = (OrderTable::loader(), DedupTable::new(command_ids_max));
    let reader = CheckpointReader::open(storage, store_id, covered)?;
    reader.read_ahead();
    let ReadCheckpoint { last_sequence, reader } = read_checkpoint(reader, |record| {
        match record {
            Record::Order(order) => orders.push(order).map_err(|error| error.to_string())?,
            Record::Command(command) => {
                commands.push(command);
                commands.evict();
            }
        }
        Ok(())
    })?;
    let orders = orders.finish().map_err(|error| reader.damaged(error.to_string()))?;
    Ok((StoreState { orders, commands, last_sequence }, reader.required))
}
