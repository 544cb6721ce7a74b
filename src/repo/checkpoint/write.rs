//! Writes a checkpoint while the state goes on.

use std::io;

use serde::Serialize;

use super::read::{Record, read_checkpoint};
use super::{
    COMMANDS, CheckpointBegin, CheckpointSource, LANES, META, META_VERSION, ORDERS, SINKS, StoredCommand, StoredMeta,
    StoredRow,
};
use crate::contracts::{Lsn, Sequence, Storage};
use crate::journal::{ChainEnd, CheckpointError, CheckpointReader, CheckpointWriter, StoreId};
use crate::repo::stored::StoredLane;

/// How much is copied at once: the time that commands wait for it is some tens of microseconds.
const PART_RECORDS: usize = 1024;
/// Lanes are larger than other records.
const PART_LANES: usize = 128;

/// A checkpoint that is durable and reads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenCheckpoint {
    /// Everything up to here is in it.
    pub covered: Lsn,
    /// Its size.
    pub bytes: u64,
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
pub fn write_earlier_checkpoint(
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
