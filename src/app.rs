//! The only place where concrete types of two layers meet; start and stop order.

use std::io::Write;
use std::path::Path;

use crate::config::Config;
use crate::contracts::Lsn;
use crate::log::LogHandle;

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
    /// The configuration cannot work here.
    #[error("{0}")]
    Config(String),
    /// orderd itself is wrong.
    #[error("{0}")]
    Internal(String),
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting or from going on.
pub fn serve(config: Config, log: &LogHandle) -> Result<(), AppError> {
    drop(config);
    let _ = log;
    Err(AppError::Internal("serve is not joined yet".into()))
}

/// Reads the whole store, changes nothing, and writes what it found.
///
/// # Errors
/// Damage, or a store that cannot be read.
pub fn verify_store(data_dir: &Path, out: &mut dyn Write) -> Result<(), AppError> {
    let _ = out;
    Err(AppError::Internal(format!("verify of {} is not joined yet", data_dir.display())))
}

/// Writes the plans from `from` on as lines of JSON.
///
/// # Errors
/// Damage, or a store that cannot be read.
pub fn dump_store(data_dir: &Path, from: Lsn, out: &mut dyn Write) -> Result<(), AppError> {
    let _ = (from, out);
    Err(AppError::Internal(format!("dump of {} is not joined yet", data_dir.display())))
}
