//! What is stored, and how: orders and remembered commands in memory, plans in the journal, both in checkpoints.

mod checkpoint;
#[cfg(test)]
mod checkpoint_test;
mod dedup_table;
#[cfg(test)]
mod maintenance_test;
mod open;
mod order_repo;
mod outbox;
#[cfg(test)]
mod outbox_test;
mod plan_record;
mod retention;
mod store;

pub use checkpoint::{
    CheckpointBegin, CheckpointSource, LoadedState, WrittenCheckpoint, delete_checkpoints_but, load_newest,
    verify_checkpoint, write_checkpoint,
};
pub use dedup_table::{DedupEntry, DedupTable};
pub use open::{OpenError, OpenReport, SinkPosition, StoreOptions, inspect_positions, inspect_store, open_store};
pub use order_repo::OrderTable;
pub use outbox::{DurableSequence, JournalOutbox, published};
pub use plan_record::PlanRecord;
pub use retention::{Maintenance, MaintenanceOptions};
pub use store::{Store, StoreState};
