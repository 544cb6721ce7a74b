//! What is stored, and how: orders and remembered commands in memory, plans in the journal, both in checkpoints.

mod checkpoint;
mod checkpoint_meaning;
#[cfg(test)]
mod checkpoint_test;
pub mod cursor;
pub mod cursor_format;
mod dedup_table;
mod delivery_state;
mod history;
#[cfg(test)]
mod history_test;
mod inspect;
#[cfg(test)]
mod inspect_test;
mod journal_position;
#[cfg(test)]
mod maintenance_test;
#[cfg(test)]
pub(crate) mod memory_store;
mod open;
mod order_repo;
mod order_row;
mod outbox;
#[cfg(test)]
mod outbox_test;
#[cfg(test)]
mod plan_store_test;
mod replay_cursors;
mod retention;
mod share;
mod sink_record;
mod state;
mod stop_checkpoint;
#[cfg(test)]
mod stop_checkpoint_test;
mod store;
#[cfg(test)]
mod store_test;
mod stored;

pub use crate::contracts::OrderRow;
pub use checkpoint::{
    CheckpointBegin, CheckpointSource, LoadOptions, LoadedState, SinksCopy, VerifiedCheckpoint, WrittenCheckpoint,
    delete_checkpoints_but, load_newest, verify_checkpoint, write_checkpoint,
};
pub use cursor::{CursorError, CursorFile, SavedPosition};
pub use dedup_table::{DedupEntry, DedupTable};
pub use delivery_state::{DeliveryState, FIRST_EPOCH, LaneName, UndoDecision};
pub use history::JournalHistory;
pub use inspect::{Inspection, inspect_in_shares, inspect_store};
pub use journal_position::{JournalPosition, lsn_of};
pub use open::{
    OpenError, OpenReport, RecoveredStore, SinkPosition, StoreOptions, inspect_positions, open_store, recover_store,
};
pub use order_repo::{OrderTable, update_mut};
pub use outbox::{DurableSequence, JournalOutbox, outbox_muts, published};
pub use replay_cursors::ReplayCursors;
pub use retention::{Maintenance, MaintenanceOptions};
pub use share::Share;
pub use state::StoreState;
pub use store::Store;
pub use stored::{OrderTimes, PlanRecord, PlanRecordError, decode_decision, encode_decision};
