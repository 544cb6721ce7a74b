//! Reads the journal back at a start: every frame or a refusal.
//!
//! The cases are numbered as in `docs/journal.md`:
//! 1. every frame reads, and behind the last there is nothing: a clean end, sealed or not;
//! 2. the last segment ends in bytes that are no frame, and nothing says that they had been durable: a torn tail. The
//!    batch was never answered; it is reported and left behind;
//! 3. something says so - a later frame's claim, a later segment, a cursor, a checkpoint: damage. The start is refused
//!    and no byte is changed;
//! 4. a file cannot be read: an I/O error, which is not the same as an end.

use std::sync::Arc;

use super::format::{SegmentHeader, SegmentHeaderError};
use super::recovery_error::{RecoveryError, damaged, io_error};
use super::redo::{Redo, RedoError, RedoFrame, RedoProblem};
use super::scan::{Scan, Step, Tail};
use super::segment::{TEMPORARY_SUFFIX, read_segment, segment_path};
use super::segment_map::{FrameMark, MarkPace, map_segments};
use super::tail_repair::TailRepair;
use super::writer::{End, SegmentEnd};
use super::{
    CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, Journal, JournalHandle, JournalOptions, STORE_DIR, SegmentMap, StoreId,
};
use crate::contracts::{Clock, Lsn, Storage, StorageFile};

/// This many at the most are replayed together: what they need can be fetched together.
const TOGETHER: usize = 64;

/// Looks at a journal that was read and not yet changed, and may refuse it.
pub type Precheck<'a> = dyn Fn(&JournalHandle) -> Result<(), RecoveryError> + 'a;

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

/// Where replay starts and what it must reach at least.
#[derive(Debug, Clone, Copy)]
pub struct RedoRange {
    /// The state holds everything up to here: frames behind it are replayed.
    pub after: Lsn,
    /// A cursor or a checkpoint says that frames up to here had been durable.
    pub must_reach: Lsn,
}

/// Replays the journal behind `range.after`, and opens it for appending behind its last frame, unless `precheck` refuses.
///
/// # Errors
/// See the cases above. On a refusal nothing was changed.
pub fn recover(
    storage: &Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    options: JournalOptions,
    store_id: StoreId,
    range: RedoRange,
    redo: &mut Redo<'_>,
    precheck: &Precheck<'_>,
) -> Result<(Journal, Recovered), RecoveryError> {
    let read = read_journal(storage.as_ref(), store_id, range, Access::Own, redo)?;
    let files = JournalHandle { storage: Arc::clone(storage), index: Arc::new(read.index), store_id };
    files.index.set_durable_lsn(read.recovered.last_lsn);
    precheck(&files)?;
    // From here on bytes are changed: everything was read, and nothing spoke against it.
    // 1. The names that were read. A daemon that was killed between a change of a directory and its sync has left names
    //    that a power cut may still take back; nothing may rest on them before they are durable.
    for dir in ["", STORE_DIR, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR] {
        storage.sync_dir(dir).map_err(io_error("syncing directory", dir))?;
    }
    // 2. The end of the last segment.
    if let Some(repair) = &read.repair {
        repair.settle(storage.as_ref(), &files.index)?;
    }
    // 3. What was never finished.
    for name in &read.leftovers {
        let path = format!("{JOURNAL_DIR}/{name}");
        storage.remove(&path).map_err(io_error("removing", &path))?;
    }
    // 4. A segment of our own.
    let end = End { last_lsn: read.recovered.last_lsn, chain: read.chain, segment: read.end };
    let journal = Journal::start(Arc::clone(storage), clock, files.index, options, store_id, end)?;
    Ok((journal, read.recovered))
}

/// Reads the journal and changes nothing, for `verify` and `dump`: also while a daemon writes it.
///
/// # Errors
/// As [`recover`], without its writes.
pub fn inspect(
    storage: &dyn Storage,
    store_id: StoreId,
    range: RedoRange,
    redo: &mut Redo<'_>,
) -> Result<Recovered, RecoveryError> {
    read_journal(storage, store_id, range, Access::ReadOnly, redo).map(|read| read.recovered)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The lock is held: sync before reading, so that no decision rests on bytes that only the page cache has.
    Own,
    /// Somebody else may be writing.
    ReadOnly,
}

struct ReadJournal {
    recovered: Recovered,
    chain: u32,
    index: SegmentMap,
    /// Where the last plan ends; none if no plan was read.
    end: Option<SegmentEnd>,
    repair: Option<TailRepair>,
    leftovers: Vec<String>,
}

fn read_journal(
    storage: &dyn Storage,
    store_id: StoreId,
    range: RedoRange,
    access: Access,
    redo: &mut Redo<'_>,
) -> Result<ReadJournal, RecoveryError> {
    let names = storage.list(JOURNAL_DIR).map_err(io_error("listing", JOURNAL_DIR))?;
    let index = map_segments(storage, &names)?;
    let bases: Vec<Lsn> = index.list().into_iter().map(|(base_lsn, _)| base_lsn).collect();
    let leftovers = names.into_iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)).collect();
    // The segment that holds the last replayed plan is read again, although the state has it: it tells whether another
    // segment must follow.
    let holding = index.segment_holding(range.after).filter(|_| range.after > Lsn::ZERO);
    let Some(first) = holding.or_else(|| index.segment_holding(range.after.next())) else {
        let found = bases.first().map_or_else(|| "none".to_owned(), |base| format!("one from LSN {base}"));
        let wanted = range.after.next();
        return Err(damaged(
            JOURNAL_DIR,
            0,
            format!("the segment with LSN {wanted} is missing; the oldest is {found}"),
        ));
    };
    let mut read = ReadJournal {
        recovered: Recovered { last_lsn: Lsn(first.0.saturating_sub(1)), ..Recovered::default() },
        chain: 0,
        index,
        end: None,
        repair: None,
        leftovers,
    };
    let mut bytes = Vec::new();
    let needed = bases.iter().position(|base| *base == first).unwrap_or(0);
    let mut following = bases.iter().skip(needed.saturating_add(1)).copied();
    let mut current = Some((first, open_segment(storage, first, access)?));
    while let Some((base_lsn, file)) = current {
        let next = following.next();
        let path = segment_path(base_lsn);
        read_segment(file.as_ref(), &mut bytes).map_err(io_error("reading", &path))?;
        // While this segment is replayed, the system fetches the next one.
        current = match next {
            Some(next) => Some((next, open_segment(storage, next, access)?)),
            None => None,
        };
        let header = check_header(&bytes, &path, store_id, base_lsn)?;
        if base_lsn != first && header.chain != read.chain {
            return Err(damaged(&path, 0, "the segment does not continue the one before it"));
        }
        let mut scan = Scan::new(&header, &bytes);
        // A daemon may have begun a segment since the folder was listed. For a read_only the journal ends before it.
        let is_begun = |base_lsn| match access {
            Access::Own => false,
            Access::ReadOnly => storage.open_read_only(&segment_path(base_lsn)).is_ok(),
        };
        let marks = redo_segment(&mut scan, next, range, &path, &mut read.recovered, redo, &is_begun)?;
        read.index.mark(base_lsn, &marks);
        read.index.add_written(scan.offset as u64);
        read.chain = scan.chain;
        if scan.last_lsn >= base_lsn {
            read.end = Some(SegmentEnd { base_lsn, epoch: header.epoch, offset: scan.plans_end as u64 });
        }
        if next.is_none() {
            finish(&scan, &header, range, &path, &mut read)?;
        }
    }
    Ok(read)
}

fn open_segment(storage: &dyn Storage, base_lsn: Lsn, access: Access) -> Result<Box<dyn StorageFile>, RecoveryError> {
    let path = segment_path(base_lsn);
    match access {
        Access::ReadOnly => storage.open_read_only(&path).map_err(io_error("opening", &path)),
        Access::Own => {
            let file = storage.open(&path).map_err(io_error("opening", &path))?;
            file.sync_data().map_err(io_error("syncing", &path))?;
            file.drop_cache();
            file.read_ahead();
            Ok(file)
        }
    }
}

fn check_header(bytes: &[u8], path: &str, store_id: StoreId, base_lsn: Lsn) -> Result<SegmentHeader, RecoveryError> {
    let header = SegmentHeader::decode(bytes).map_err(|error| match error {
        SegmentHeaderError::Damaged => damaged(path, 0, error.to_string()),
        SegmentHeaderError::Version(_) => RecoveryError::Version { path: path.to_owned(), problem: error.to_string() },
    })?;
    if header.store_id != store_id {
        return Err(damaged(path, 0, format!("it belongs to store {}, not to {store_id}", header.store_id)));
    }
    if header.base_lsn != base_lsn {
        return Err(damaged(path, 0, format!("it begins with LSN {}, not with its name's", header.base_lsn)));
    }
    Ok(header)
}

/// Replays the frames up to the next segment's, or, in the last segment, as far as they read.
fn redo_segment(
    scan: &mut Scan<'_>,
    next: Option<Lsn>,
    range: RedoRange,
    path: &str,
    recovered: &mut Recovered,
    redo: &mut Redo<'_>,
    is_begun: &dyn Fn(Lsn) -> bool,
) -> Result<Vec<FrameMark>, RecoveryError> {
    recovered.sealed = false;
    let mut together = Vec::with_capacity(TOGETHER);
    let mut marks = Vec::new();
    let mut pace = MarkPace::from(FrameMark { lsn: scan.last_lsn.next(), offset: scan.offset as u64 });
    // What lies behind the next segment's base was left behind by a recovery: it is not looked at again.
    while next.is_none_or(|next| scan.last_lsn.next() < next) && !recovered.sealed {
        match scan.step() {
            Step::Plan { lsn, offset, body } => {
                let frame = FrameMark { lsn, offset: offset as u64 };
                if pace.is_due(frame) {
                    marks.push(frame);
                }
                if lsn > range.after {
                    together.push(RedoFrame { lsn, body, offset });
                }
                if together.len() == TOGETHER {
                    redo_together(&mut together, path, recovered, redo)?;
                }
                recovered.last_lsn = lsn;
            }
            Step::Seal => recovered.sealed = true,
            Step::Link => {
                let missing = recovered.last_lsn.next();
                if is_begun(missing) {
                    break;
                }
                return Err(damaged(path, scan.plans_end, format!("the segment with LSN {missing} is missing")));
            }
            Step::Unreadable => break,
        }
    }
    redo_together(&mut together, path, recovered, redo)?;
    match next {
        Some(next) if scan.last_lsn.next() != next => {
            let missing = scan.last_lsn.next();
            let problem = format!("LSN {missing} is unreadable or missing, and the next segment begins with {next}");
            Err(damaged(path, scan.offset, problem))
        }
        Some(_) | None => Ok(marks),
    }
}

fn redo_together(
    frames: &mut Vec<RedoFrame<'_>>,
    path: &str,
    recovered: &mut Recovered,
    redo: &mut Redo<'_>,
) -> Result<(), RecoveryError> {
    redo(frames).map_err(|RedoError { frame, problem }| {
        let offset = frames.get(frame).map_or(0, |frame| frame.offset);
        match problem {
            RedoProblem::Unfit(problem) => damaged(path, offset, problem),
            RedoProblem::Version(problem) => {
                RecoveryError::Version { path: path.to_owned(), problem: format!("offset {offset}: {problem}") }
            }
        }
    })?;
    recovered.frames += frames.len() as u64;
    frames.clear();
    Ok(())
}

/// Decides what the end of the last segment means.
fn finish(
    scan: &Scan<'_>,
    header: &SegmentHeader,
    range: RedoRange,
    path: &str,
    read: &mut ReadJournal,
) -> Result<(), RecoveryError> {
    let missing = scan.last_lsn.next();
    let tail = scan.tail();
    if range.must_reach >= missing {
        let must_reach = range.must_reach;
        let problem =
            format!("LSN {missing} is unreadable or missing, but a cursor or checkpoint has LSN {must_reach}");
        return Err(damaged(path, scan.offset, problem));
    }
    let file_len = read.index.list().last().map_or(0, |(_, info)| info.bytes);
    match tail {
        Tail::Unwritten => {}
        Tail::Torn if read.recovered.sealed => {
            return Err(damaged(path, scan.offset, "there are bytes behind the seal"));
        }
        Tail::Torn => {
            let offset = scan.offset as u64;
            let bytes = file_len.saturating_sub(offset);
            read.recovered.torn_tail = Some(TornTail { path: path.to_owned(), offset, bytes });
        }
        Tail::Damaged { proof_offset } => {
            let problem = format!("LSN {missing} is unreadable, but offset {proof_offset} proves that it was durable");
            return Err(damaged(path, scan.offset, problem));
        }
    }
    read.repair = TailRepair::of(scan, header, read.recovered.sealed, file_len);
    Ok(())
}
