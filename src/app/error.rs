//! Why the daemon, or a reader of its store, ended; each kind has an exit code.

use std::io;

use crate::backup::BackupError;
use crate::contracts::{CommitError, FeedError};
use crate::journal::{CheckpointError, IdentityError, RecoveryError};
use crate::relay::WorkerError;
use crate::repo::{CursorError, OpenError};
use crate::server::BindError;
use crate::storage::LockError;

/// Why the daemon, or a reader of its store, ended.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store is damaged.
    #[error("{0}")]
    Damaged(String),
    /// Another daemon holds the data directory.
    #[error("{0}")]
    Held(String),
    /// A file or a socket cannot be used.
    #[error("{0}")]
    Io(String),
    /// The system does not allow it.
    #[error("{0}")]
    Permission(String),
    /// The configuration cannot work here, or the store was written by a newer version.
    #[error("{0}")]
    Config(String),
    /// Internal error (a bug).
    #[error("{0}")]
    Internal(String),
}

impl AppError {
    /// An I/O error of a store's file. A file or folder that is gone, or the one in the place of the other, is damage: no
    /// disk does that.
    pub(super) fn of_store(message: String, source: &io::Error) -> Self {
        let kinds = [io::ErrorKind::NotFound, io::ErrorKind::IsADirectory, io::ErrorKind::NotADirectory];
        if kinds.contains(&source.kind()) {
            Self::Damaged(format!("damaged at offset 0: {message}"))
        } else {
            Self::io(message, source)
        }
    }

    /// An I/O error; a missing permission is a kind of its own.
    pub(super) fn io(message: String, source: &io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied { Self::Permission(message) } else { Self::Io(message) }
    }
}

impl From<LockError> for AppError {
    fn from(error: LockError) -> Self {
        let message = error.to_string();
        match error {
            LockError::Held { .. } => Self::Held(message),
            LockError::Unsafe { .. } => Self::Permission(message),
            LockError::Io { source, .. } => Self::io(message, &source),
        }
    }
}

impl From<IdentityError> for AppError {
    fn from(error: IdentityError) -> Self {
        let message = error.to_string();
        match error {
            IdentityError::Missing => Self::Io(message),
            IdentityError::Damaged(_) | IdentityError::Backup => Self::Damaged(message),
            IdentityError::Header(_) => Self::Config(message),
            IdentityError::Io { source, .. } => Self::of_store(message, &source),
        }
    }
}

impl From<BackupError> for AppError {
    fn from(error: BackupError) -> Self {
        let message = error.to_string();
        match error {
            BackupError::Damaged(_) => Self::Damaged(message),
            BackupError::Newer(_) => Self::Config(message),
            BackupError::Held(_) => Self::Held(message),
            BackupError::Exists(_) | BackupError::Daemon(_) => Self::Io(message),
            BackupError::Io { source, .. } => Self::io(message, &source),
        }
    }
}

impl From<OpenError> for AppError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Checkpoint(error) => error.into(),
            OpenError::Journal(error) => error.into(),
        }
    }
}

impl From<CheckpointError> for AppError {
    fn from(error: CheckpointError) -> Self {
        let message = error.to_string();
        match error {
            CheckpointError::Damaged { .. } => Self::Damaged(message),
            CheckpointError::Version { .. } => Self::Config(message),
            CheckpointError::Io { source, .. } => Self::of_store(message, &source),
        }
    }
}

impl From<RecoveryError> for AppError {
    fn from(error: RecoveryError) -> Self {
        let message = error.to_string();
        match error {
            RecoveryError::Damaged { .. } => Self::Damaged(message),
            RecoveryError::Version { .. } => Self::Config(message),
            RecoveryError::Io { source, .. } => Self::of_store(message, &source),
            RecoveryError::Journal(error) => error.into(),
        }
    }
}

impl From<CommitError> for AppError {
    fn from(error: CommitError) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<FeedError> for AppError {
    fn from(error: FeedError) -> Self {
        let message = error.to_string();
        match error {
            FeedError::Damaged(_) | FeedError::OtherHistory(_) | FeedError::NotHeld { .. } => Self::Damaged(message),
            FeedError::Io(source) => Self::io(message, &source),
        }
    }
}

impl From<CursorError> for AppError {
    fn from(error: CursorError) -> Self {
        let message = error.to_string();
        match error {
            CursorError::Damaged { .. } | CursorError::WrongStore { .. } => Self::Damaged(message),
            CursorError::OtherFormat { .. } => Self::Config(message),
            CursorError::Io { source, .. } => Self::of_store(message, &source),
        }
    }
}

impl From<WorkerError> for AppError {
    fn from(error: WorkerError) -> Self {
        let message = error.to_string();
        match error {
            WorkerError::Damaged(_) => Self::Damaged(message),
            WorkerError::Io(_) | WorkerError::Cursor(_) | WorkerError::Target(_) => Self::Io(message),
        }
    }
}

impl From<BindError> for AppError {
    fn from(error: BindError) -> Self {
        let message = error.to_string();
        match error {
            BindError::Io { source, .. } => Self::io(message, &source),
            BindError::UnknownGroup(_) | BindError::PathTooLong { .. } | BindError::TooFewDescriptors { .. } => {
                Self::Config(message)
            }
            BindError::UnsafeFolder { .. } => Self::Permission(message),
            BindError::NotASocket(_) | BindError::InUse(_) => Self::Io(message),
        }
    }
}
