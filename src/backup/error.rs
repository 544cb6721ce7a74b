//! Why there is no backup, or no store made of one.

use std::io;

use crate::journal::{CheckpointError, IdentityError, RecoveryError};

/// Why there is no backup, or no store made of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A path that must not exist does.
    #[error("{0} exists already; choose a name that is free")]
    Exists(String),
    /// The store, or the backup, is damaged or not whole.
    #[error("{0}")]
    Damaged(String),
    /// It was written by a newer version.
    #[error("{0}")]
    Newer(String),
    /// A daemon holds the store.
    #[error("{0}")]
    Held(String),
    /// The daemon did not keep what it had promised to keep, or went away.
    #[error("{0}")]
    Daemon(String),
    /// Any I/O error from the OS.
    #[error("{operation} {path}: {source}")]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// On what.
        path: String,
        /// The underlying error.
        source: io::Error,
    },
}

impl BackupError {
    /// An I/O error with what was being done.
    pub fn io(operation: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}

impl From<IdentityError> for BackupError {
    fn from(error: IdentityError) -> Self {
        let message = error.to_string();
        match error {
            IdentityError::Missing | IdentityError::Damaged(_) | IdentityError::Backup => Self::Damaged(message),
            IdentityError::Header(_) => Self::Newer(message),
            IdentityError::Io { operation, path, source } => Self::Io { operation, path: path.to_owned(), source },
        }
    }
}

impl From<RecoveryError> for BackupError {
    fn from(error: RecoveryError) -> Self {
        let message = error.to_string();
        match error {
            RecoveryError::Damaged { .. } | RecoveryError::Journal(_) => Self::Damaged(message),
            RecoveryError::Version { .. } => Self::Newer(message),
            RecoveryError::Io { operation, path, source } => Self::Io { operation, path, source },
        }
    }
}

impl From<CheckpointError> for BackupError {
    fn from(error: CheckpointError) -> Self {
        let message = error.to_string();
        match error {
            CheckpointError::Damaged { .. } => Self::Damaged(message),
            CheckpointError::Version { .. } => Self::Newer(message),
            CheckpointError::Io { path, source } => Self::Io { operation: "reading", path, source },
        }
    }
}
