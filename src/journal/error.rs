//! Why a journal is not used.

use std::io;

use crate::contracts::CommitError;

/// Why the journal is not used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Bytes are not what was written, and nobody may go on as if they were.
    #[error("{path}: damaged at offset {offset}: {problem}")]
    Damaged {
        /// The file, below the data directory.
        path: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// It is intact, and was written by a newer version.
    #[error("{path}: {problem}")]
    Version {
        /// The file, below the data directory.
        path: String,
        /// What is unknown in it.
        problem: String,
    },
    /// It cannot be read or written.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// On what.
        path: String,
        /// The underlying error.
        source: io::Error,
    },
    /// A new segment could not be begun.
    #[error(transparent)]
    Journal(#[from] CommitError),
}

pub fn damaged(path: &str, offset: usize, problem: impl Into<String>) -> RecoveryError {
    RecoveryError::Damaged { path: path.to_owned(), offset: offset as u64, problem: problem.into() }
}

pub fn io_error(operation: &'static str, path: &str) -> impl FnOnce(io::Error) -> RecoveryError {
    let path = path.to_owned();
    move |source| RecoveryError::Io { operation, path, source }
}
