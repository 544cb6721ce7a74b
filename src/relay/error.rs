//! Why a worker ends.

use crate::contracts::{ProgressError, SinkError};

/// Why a worker, and with it the daemon, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The outbox is not what was written.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// A call to the OS failed.
    #[error("the outbox cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not known how far the cursor is saved, or another relay has the sink by now.
    #[error("the cursor cannot be saved: {0}")]
    Cursor(#[from] ProgressError),
    /// The target is gone for good.
    #[error("the sink cannot go on: {0}")]
    Target(#[from] SinkError),
}

/// Why a worker ends whose sink another daemon may have taken over.
pub(super) fn deposed(sink: &str) -> ProgressError {
    ProgressError::Deposed(format!("another daemon may relay the sink {sink} by now"))
}
