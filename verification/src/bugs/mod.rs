//! Deliberate bugs: a battery that has never failed proves nothing. Each of these must make the simulation fail.
//!
//! They lie between the daemon and its disk, so the daemon's code is the one that ships: a sync that is asked for and
//! not done is to the disk what a sync is that nobody asked for. Bugs that a disk cannot have are patches, in
//! `verification/bugs/`.

mod bug_search;
mod disk;
mod list;

pub use bug_search::{BugSearch, Catch, Caught};
pub use disk::BuggyDisk;
pub use list::Bug;
