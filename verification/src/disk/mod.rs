//! A disk that loses, tears and reorders what was not synced, fails on demand, and fills up.

pub mod content;
pub mod crash;
pub mod crash_policy;
pub mod faults;
pub mod file;
mod folders;
mod handle;
pub mod hook;
mod machine;
pub mod tree;

pub use content::Content;
pub use crash::{Fate, Fates, Part, Unsynced, crash, unsynced};
pub use crash_policy::{CrashPolicy, Havoc};
pub use faults::{Call, Faults};
pub use file::{File, SECTOR};
pub use machine::{Recorded, SimDisk};
pub use tree::Tree;
