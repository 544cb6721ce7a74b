//! Reads a checkpoint, record by record, each checked.

use std::sync::Arc;

use serde::Deserialize;

use super::{COMMANDS, LANES, META, META_VERSION, ORDERS, SINKS, StoredCommand, StoredMeta, StoredRow};
use crate::contracts::{Lsn, ParkedLane, Storage};
use crate::domain::OrderState;
use crate::journal::{ChainPoint, CheckpointError, CheckpointReader, StoreId};
use crate::repo::checkpoint_meaning::MeaningCheck;
use crate::repo::delivery_state::RecordedSink;
use crate::repo::stored::{StoredLane, StoredSink};
use crate::repo::{DedupEntry, LaneName, OrderRow};

/// A checkpoint that reads.
#[derive(Debug)]
pub struct VerifiedCheckpoint {
    /// Where the journal must agree with it.
    pub points: Vec<ChainPoint>,
    /// How many orders it holds.
    pub orders: u64,
}

/// Reads a whole checkpoint, every record of it, and keeps none.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn verify_checkpoint(
    storage: &dyn Storage,
    store_id: StoreId,
    lsn: Lsn,
) -> Result<VerifiedCheckpoint, CheckpointError> {
    let read = read_checkpoint(CheckpointReader::open(storage, store_id, lsn)?, &mut |_| Ok(()))?;
    Ok(VerifiedCheckpoint { points: read.reader.points(), orders: read.meta.orders })
}

/// What a checkpoint holds.
pub(super) enum Record {
    Order(OrderRow),
    Command(DedupEntry),
    Sink(Box<RecordedSink>),
    Lane(Box<(LaneName, ParkedLane)>),
}

/// A checkpoint that was read to its end.
pub(super) struct ReadCheckpoint {
    pub meta: StoredMeta,
    pub reader: CheckpointReader,
}

/// Takes one record after the other.
pub(super) type Take<'a> = dyn FnMut(Record) -> Result<(), String> + 'a;

/// Reads a checkpoint to its end, and checks what its records mean.
pub(super) fn read_checkpoint(
    mut reader: CheckpointReader,
    take: &mut Take<'_>,
) -> Result<ReadCheckpoint, CheckpointError> {
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
