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

mod load;
mod read;
mod write;

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use load::delete_unfinished;
pub use load::{LoadOptions, LoadedState, delete_checkpoints_but, load_newest, load_one};
pub use read::{VerifiedCheckpoint, verify_checkpoint};
pub(super) use write::write_earlier_checkpoint;
pub use write::{WrittenCheckpoint, write_checkpoint};

use super::dedup_table::DedupEntry;
use super::delivery_state::LaneName;
use super::store::Store;
use super::stored::{StoredOrder, StoredSink};
use crate::contracts::{Fingerprint, Lsn, OrderRow, ParkedLane, Sequence};
use crate::domain::CommandId;
use crate::journal::ChainEnd;

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
