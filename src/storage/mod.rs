//! The real disk behind [`crate::contracts::Storage`] and [`crate::contracts::Folders`], and the lock on a data
//! directory.

mod below;
mod disk;
mod folders;
mod lock;

pub use below::Below;
pub use disk::DiskStorage;
pub use lock::{LockError, StoreLock};
