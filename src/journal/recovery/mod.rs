//! Reads the journal back at a start: every frame or a refusal.
//!
//! The cases are numbered as in `docs/journal.md`:
//! 1. every frame reads, and behind the last there is nothing: a clean end, sealed or not;
//! 2. the last segment ends in bytes that are no frame, and nothing says that they had been durable: a torn tail. The
//!    batch was never answered; it is reported and left behind;
//! 3. something says so - a later frame's claim, a later segment, a cursor, a checkpoint: damage. The start is refused
//!    and no byte is changed;
//! 4. a file cannot be read: an I/O error, which is not the same as an end.

mod read;
mod read_only;
mod recovered;
mod redo;
mod tail;
mod tail_repair;

use std::sync::Arc;

pub use read_only::{inspect_files, oldest_lsn, sync_up_to};
pub use recovered::{Recovered, TornTail};
pub use redo::{Redo, RedoError, RedoFrame, RedoProblem, RedoRange, per_frame};

use self::read::{Access, read_journal};
use self::tail_repair::TailRepair;
use super::error::io_error;
use super::last_segment::End;
use super::{
    CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, Journal, JournalHandle, JournalOptions, PREPARED_PATH, RecoveryError,
    STORE_DIR, StoreId, segment_path,
};
use crate::contracts::{Clock, Storage};

/// A journal that a start has read to its end, and not changed: what speaks against it is found before
/// [`Recovery::open`].
pub struct Recovery {
    files: JournalHandle,
    recovered: Recovered,
    end: End,
    repair: Option<TailRepair>,
    leftovers: Vec<String>,
}

/// Reads the journal as a start does, whose lock is held: replays what is behind `range.after`, and changes nothing.
///
/// # Errors
/// See the cases above.
pub fn recover(
    storage: &Arc<dyn Storage>,
    store_id: StoreId,
    range: &RedoRange,
    redo: &mut Redo<'_>,
) -> Result<Recovery, RecoveryError> {
    let read = read_journal(storage.as_ref(), store_id, range, Access::Own, redo)?;
    let files = JournalHandle { storage: Arc::clone(storage), index: Arc::new(read.index), store_id };
    files.index.set_durable_lsn(read.recovered.last_lsn);
    let end = End { last_lsn: read.recovered.last_lsn, chain: read.chain, segment: read.end };
    Ok(Recovery { files, recovered: read.recovered, end, repair: read.repair, leftovers: read.leftovers })
}

impl Recovery {
    /// What reading the journal takes.
    #[must_use]
    pub const fn files(&self) -> &JournalHandle {
        &self.files
    }

    /// Opens the journal for appending after its last frame. From here on bytes are changed: everything was read, and
    /// nothing spoke against it.
    ///
    /// # Errors
    /// A call to the OS failed.
    pub fn open(self, clock: Arc<dyn Clock>, options: JournalOptions) -> Result<(Journal, Recovered), RecoveryError> {
        let Self { files: JournalHandle { storage, index, store_id }, recovered, end, repair, leftovers } = self;
        // 1. The name of a segment that was begun under the one that it was made ahead with.
        if let Some(base_lsn) = index.unnamed() {
            let path = segment_path(base_lsn);
            storage.rename(PREPARED_PATH, &path).map_err(io_error("naming", &path))?;
            index.set_named();
        }
        // 2. The names that were read. A daemon that was killed between a change of a directory and its sync has left
        //    names that a power cut may still take back; nothing may rest on them before they are durable.
        for dir in ["", STORE_DIR, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
            storage.sync_dir(dir).map_err(io_error("syncing directory", dir))?;
        }
        // 3. The end of the last segment.
        if let Some(repair) = &repair {
            repair.settle(storage.as_ref(), &index)?;
        }
        // 4. What was never finished, or never used.
        for name in &leftovers {
            let path = format!("{JOURNAL_DIR}/{name}");
            storage.remove(&path).map_err(io_error("removing", &path))?;
        }
        // 5. A segment of our own.
        let journal = Journal::start(storage, clock, index, options, store_id, end)?;
        Ok((journal, recovered))
    }
}

/// Reads the journal and changes nothing, for `verify` and `dump`: also while a daemon writes it.
///
/// # Errors
/// As [`recover`].
pub fn inspect(
    storage: &dyn Storage,
    store_id: StoreId,
    range: &RedoRange,
    redo: &mut Redo<'_>,
) -> Result<Recovered, RecoveryError> {
    read_journal(storage, store_id, range, Access::ReadOnly, redo).map(|read| read.recovered)
}
