//! The state from the newest checkpoint that reads, and which checkpoints are kept.

use std::io;

use super::read::{ReadCheckpoint, Record, read_checkpoint};
use crate::contracts::{Lsn, Sequence, Storage};
use crate::journal::{
    CHECKPOINTS_DIR, ChainPoint, CheckpointError, CheckpointReader, StoreId, TEMPORARY_SUFFIX, list_checkpoints,
    parse_checkpoint_name,
};
use crate::repo::{DedupTable, DeliveryState, OrderTable, StoreState};

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
