//! Reads the journal back at a start: every frame or a refusal.
//!
//! The cases are numbered as in `docs/journal.md`:
//! 1. every frame reads, and behind the last there is nothing: a clean end, sealed or not;
//! 2. the last segment ends in bytes that are no frame, and nothing says that they had been durable: a torn tail. The
//!    batch was never answered; it is reported and left behind;
//! 3. something says so - a later frame's claim, a later segment, a cursor, a checkpoint: damage. The start is refused
//!    and no byte is changed;
//! 4. a file cannot be read: an I/O error, which is not the same as an end.

mod error;
mod read;
mod read_only;
mod redo;
mod tail;
mod tail_repair;

use std::sync::Arc;

pub use error::RecoveryError;
pub(in crate::journal) use error::{damaged, io_error};
pub use read_only::{inspect_files, oldest_lsn, sync_up_to};
pub use redo::{Redo, RedoError, RedoFrame, RedoProblem, per_frame};

use self::read::{Access, read_journal};
use self::tail_repair::TailRepair;
use super::writer::End;
use super::{
    CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, Journal, JournalHandle, JournalOptions, PREPARED_PATH, STORE_DIR,
    StoreId, segment_path,
};
use crate::contracts::{Clock, Lsn, Storage};

/// A journal that was read back.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The last frame.
    pub last_lsn: Lsn,
    /// How many frames were replayed.
    pub frames: u64,
    /// What was cut off, if anything.
    pub torn_tail: Option<TornTail>,
    /// Whether the last segment was sealed: the daemon had been stopped and not killed.
    pub sealed: bool,
}

/// The torn tail of a batch that was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub path: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is, up to the end of the file.
    pub bytes: u64,
}

/// A plan that a checkpoint rests on, with the checksum of its frame's header, which is that of the whole history up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPoint {
    /// The plan.
    pub lsn: Lsn,
    /// The header checksum of its frame.
    pub chain: u32,
    /// The file that says so.
    pub path: String,
}

/// Where replay starts, what it must reach at least, and what it must meet on the way.
#[derive(Debug, Clone, Default)]
pub struct RedoRange {
    /// The state holds everything up to here: frames behind it are replayed.
    pub after: Lsn,
    /// A cursor or a checkpoint says that frames up to here had been durable.
    pub must_reach: Lsn,
    /// By LSN: where the journal holds one of these plans, it must be the same. Another one is of another history: two
    /// copies of one store that both went on, for example.
    pub points: Vec<ChainPoint>,
}

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
