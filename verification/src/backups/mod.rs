//! Backups and restores over the simulated disk: killed, short of room, and held to what was acknowledged.

mod check;
mod killable;
mod source;

pub use check::{CopyState, back_up_stopped, check_copy, judge_restored, restore_copy};
pub use killable::KillableDisk;
pub use source::{Unpinned, pin, unpin_all};

use crate::model::Model;

/// What is known of the one backup.
#[derive(Default)]
pub(crate) struct BackupFacts {
    /// What it must hold: the history when its position was named.
    pub(crate) holds: Option<Model>,
    /// `orderd backup` said that it is done.
    pub(crate) done: bool,
}

/// The folder of every backup.
pub const COPY: &str = "copy";
/// The data directory that backups are restored to.
pub const RESTORED: &str = "restored";
