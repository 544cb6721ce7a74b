//! What is stored, and how: orders and remembered commands in memory, plans in the journal, both in checkpoints.

mod checkpoint;
#[cfg(test)]
mod checkpoint_test;
mod command_log;
#[cfg(test)]
mod housekeeping_test;
mod open;
mod order_repo;
mod outbox;
#[cfg(test)]
mod outbox_test;
mod retention;
mod store;
mod stored_plan;

pub use checkpoint::{
    CheckpointBegin, CheckpointSource, LoadedState, WrittenCheckpoint, delete_checkpoints_but, load_newest,
    verify_checkpoint, write_checkpoint,
};
pub use command_log::{CommandLog, LoggedCommand};
pub use open::{OpenError, OpenReport, SinkPosition, StoreOptions, inspect_positions, inspect_store, open_store};
pub use order_repo::OrderRepo;
pub use outbox::{DurableSequence, JournalOutbox, published};
pub use retention::{Housekeeper, HousekeeperOptions};
pub use store::{Store, StoreState};
pub use stored_plan::StoredPlan;
