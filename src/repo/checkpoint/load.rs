//! The state from the newest checkpoint that reads, and which checkpoints are kept.

use std::io;

use super::read::{ReadCheckpoint, Record, read_checkpoint};
use crate::contracts::{Lsn, Sequence, Storage};
use crate::journal::{
    CHECKPOINTS_DIR, ChainPoint, CheckpointError, CheckpointReader, StoreId, TEMPORARY_SUFFIX, list_checkpoints,
    parse_checkpoint_name,
};
use crate::repo::{DedupTable, DeliveryState, OrderTable, Share, StoreState};

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
        let covered = parse_checkpoint_name(&name);
        let kept = covered.is_some_and(|lsn| keep.contains(&lsn));
        // What is neither a checkpoint nor an unfinished one is somebody else's.
        let ours = covered.is_some() || name.ends_with(TEMPORARY_SUFFIX);
        if ours && !kept {
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

/// What is taken from a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    /// Of the orders.
    pub share: Share,
    /// How many command ids.
    pub command_ids_max: usize,
}

/// Loads the newest checkpoint that reads; an unreadable one is passed over, and kept. Where none reads, the journal
/// must reach back to its first plan, or recovery refuses: unreadable is never empty.
///
/// # Errors
/// Any I/O error from the OS, or a checkpoint was written by a newer version.
pub fn load_newest(
    storage: &dyn Storage,
    store_id: StoreId,
    options: LoadOptions,
) -> Result<LoadedState, CheckpointError> {
    let directory = |source| CheckpointError::Io { path: CHECKPOINTS_DIR.to_owned(), source };
    let checkpoints = list_checkpoints(storage).map_err(directory)?;
    let must_reach = checkpoints.first().copied().unwrap_or_default();
    let mut damaged = Vec::new();
    for covered in checkpoints {
        match load_one(storage, store_id, covered, options) {
            Ok(loaded) => {
                return Ok(LoadedState { must_reach: must_reach.max(loaded.must_reach), damaged, ..loaded });
            }
            Err(error @ CheckpointError::Damaged { .. }) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(LoadedState { must_reach, damaged, ..LoadedState::empty(options.command_ids_max) })
}

impl LoadedState {
    /// The state of a store without a checkpoint.
    #[must_use]
    pub fn empty(command_ids_max: usize) -> Self {
        Self {
            state: StoreState::new(command_ids_max),
            covered: Lsn::ZERO,
            required: Lsn::ZERO,
            points: Vec::new(),
            must_reach: Lsn::ZERO,
            damaged: Vec::new(),
        }
    }
}

/// Loads one checkpoint, or a share of it.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn load_one(
    storage: &dyn Storage,
    store_id: StoreId,
    covered: Lsn,
    options: LoadOptions,
) -> Result<LoadedState, CheckpointError> {
    let LoadOptions { share, command_ids_max } = options;
    let (mut orders, mut commands) = (OrderTable::loader(), DedupTable::new(command_ids_max));
    let mut delivery = DeliveryState::default();
    let reader = CheckpointReader::open(storage, store_id, covered)?;
    reader.read_ahead();
    let mut take = |record: Record| {
        match record {
            Record::Order(order) if !share.holds(order.state.order_id) => {}
            Record::Order(order) => orders.push(order).map_err(|error| error.to_string())?,
            Record::Sink(_) | Record::Lane(_) if !share.holds_decisions() => {}
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
    let (required, points) = (reader.required.lsn, reader.points());
    Ok(LoadedState { state, covered, required, points, must_reach: required, damaged: Vec::new() })
}
