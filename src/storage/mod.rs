//! The real disk behind [`crate::contracts::Storage`], and the lock on a data directory.

mod disk;
mod lock;

pub use disk::DiskStorage;
pub use lock::{LockError, StoreLock};
