//! What the layers promise each other: traits, and the values that pass between them.

mod answer;
mod clock;
mod command;
mod committer;
mod lsn;
mod outbox;
mod repository;
mod sink;
mod status;
mod storage;

pub use answer::{Answer, ConnectionId, Outcome, Refusal, Submission};
pub use clock::{Clock, OrderIds};
pub use command::{Command, Fingerprint, Request};
pub use committer::{CommitError, PlanCommitter, RememberedCommand, Staged};
pub use lsn::{Lsn, Sequence};
pub use outbox::{OutboxError, OutboxPosition, OutboxReader, PublishedEvent};
pub use repository::{Mutation, OrderNotFound, OrderRepository, OrderUpdate, OutboxEntry, Plan, ProcessedCommand};
pub use sink::{Delivery, Sink, SinkError};
pub use status::{JournalStatus, SinkMonitor, SinkState, SinkStatus, StoreStatus};
pub use storage::{Storage, StorageFile};
