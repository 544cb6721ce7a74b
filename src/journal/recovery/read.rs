//! Reads the segments in their order, and hands their frames out.

use std::iter::Peekable;

use super::recovered::Recovered;
use super::redo::{Redo, RedoError, RedoFrame, RedoProblem, RedoRange};
use super::tail::read_end;
use super::tail_repair::TailRepair;
use crate::contracts::{Lsn, Storage, StorageFile};
use crate::journal::error::{damaged, io_error};
use crate::journal::file_header::HeaderError;
use crate::journal::format::SegmentHeader;
use crate::journal::last_segment::SegmentEnd;
use crate::journal::prepared::{PREPARED_NAME, PREPARED_PATH, prepared_base};
use crate::journal::scan::{Scan, Step};
use crate::journal::segment::{TEMPORARY_SUFFIX, read_segment, segment_path};
use crate::journal::segment_map::{FrameMark, MarkPace, map_segments};
use crate::journal::{ChainPoint, JOURNAL_DIR, RecoveryError, SegmentMap, StoreId};

/// This many at the most are replayed together: what they need can be fetched together.
const TOGETHER: usize = 64;
/// No configuration makes a longer one: a file that is longer is not read into memory.
const SEGMENT_FILE_BYTES_MAX: u64 = 8 << 30;

/// How the journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The lock is held: sync before reading, so that no decision rests on bytes that only the page cache has.
    Own,
    /// Somebody else may be writing.
    ReadOnly,
}

/// A journal that was read to its end.
pub(super) struct ReadJournal {
    pub recovered: Recovered,
    pub chain: u32,
    pub index: SegmentMap,
    /// Where the last plan ends; none if no plan was read.
    pub end: Option<SegmentEnd>,
    pub repair: Option<TailRepair>,
    pub leftovers: Vec<String>,
}

/// Reads all segments that `range` needs.
pub(super) fn read_journal(
    storage: &dyn Storage,
    store_id: StoreId,
    range: &RedoRange,
    access: Access,
    redo: &mut Redo<'_>,
) -> Result<ReadJournal, RecoveryError> {
    let names = storage.list(JOURNAL_DIR).map_err(io_error("listing", JOURNAL_DIR))?;
    let index = map_segments(storage, store_id, &names)?;
    let bases: Vec<Lsn> = index.list().into_iter().map(|(base_lsn, _)| base_lsn).collect();
    // The segment that holds the last replayed plan is read again, although the state has it: it tells whether another
    // segment must follow.
    let holding = index.segment_holding(range.after).filter(|_| range.after > Lsn::ZERO);
    let Some(first) = holding.or_else(|| index.segment_holding(range.after.next())) else {
        let found = bases.first().map_or_else(|| "none".to_owned(), |base| format!("one from LSN {base}"));
        let wanted = range.after.next();
        let problem = format!("the segment with LSN {wanted} is missing; the oldest is {found}");
        return Err(damaged(JOURNAL_DIR, 0, problem));
    };
    let mut read = ReadJournal {
        recovered: Recovered { last_lsn: Lsn(first.0.saturating_sub(1)), ..Recovered::default() },
        chain: 0,
        index,
        end: None,
        repair: None,
        leftovers: Vec::new(),
    };
    let mut points = Points(range.points.iter().peekable());
    let mut bytes = Vec::new();
    let needed = bases.iter().position(|base| *base == first).unwrap_or(0);
    let mut following = bases.iter().skip(needed.saturating_add(1)).copied();
    let open = |base_lsn: Lsn, index: &SegmentMap| open_segment(storage, &index.path_of(base_lsn), access);
    let mut current = Some((first, open(first, &read.index)?));
    while let Some((base_lsn, file)) = current {
        let next = following.next();
        let path = read.index.path_of(base_lsn);
        read_whole(file.as_ref(), &path, &mut bytes)?;
        // While this segment is replayed, the system fetches the next one.
        current = match next {
            Some(next) => Some((next, open(next, &read.index)?)),
            None => None,
        };
        let header = check_header(&bytes, &path, store_id, base_lsn)?;
        if base_lsn != first && header.chain != read.chain {
            return Err(damaged(&path, 0, "the segment does not continue the one before it"));
        }
        points.check(Lsn(base_lsn.0.saturating_sub(1)), header.chain)?;
        let mut scan = Scan::new(&header, &bytes);
        let redone = redo_segment(&mut scan, next, range, &mut points, &path, &mut read.recovered, redo)?;
        read.index.mark(base_lsn, &redone.marks);
        read.index.add_written(scan.offset as u64);
        read.chain = scan.chain;
        if scan.last_lsn >= base_lsn {
            read.end = Some(SegmentEnd { base_lsn, epoch: header.epoch, offset: scan.plans_end as u64 });
        }
        if redone.is_linked {
            let lost = missing(&path, scan.plans_end, scan.last_lsn.next());
            current = open_linked(storage, store_id, access, scan.last_lsn.next(), &read.index, lost)?;
        }
        if next.is_none() && current.is_none() {
            let file_len = read.index.list().last().map_or(0, |(_, info)| info.bytes);
            let end = read_end(&scan, &header, range.must_reach, &path, read.recovered.sealed, file_len)?;
            (read.recovered.torn_tail, read.repair) = (end.torn_tail, end.repair);
        }
    }
    read.leftovers = names.into_iter().filter(|name| is_leftover(name, &read.index)).collect();
    Ok(read)
}

/// Whether a file was never finished, or made ahead and never used.
fn is_leftover(name: &str, index: &SegmentMap) -> bool {
    name.ends_with(TEMPORARY_SUFFIX) || (name == PREPARED_NAME && index.unnamed().is_none())
}

fn read_whole(file: &dyn StorageFile, path: &str, bytes: &mut Vec<u8>) -> Result<(), RecoveryError> {
    if file.len().map_err(io_error("reading", path))? > SEGMENT_FILE_BYTES_MAX {
        return Err(damaged(path, 0, "the file is longer than any segment"));
    }
    read_segment(file, bytes).map_err(io_error("reading", path))
}

/// The points that were not met yet, by LSN.
struct Points<'a>(Peekable<std::slice::Iter<'a, ChainPoint>>);

impl Points<'_> {
    /// Compares the plan `lsn` with what is said of it. Points before it are passed over: they are not held any more.
    fn check(&mut self, lsn: Lsn, chain: u32) -> Result<(), RecoveryError> {
        while let Some(point) = self.0.next_if(|point| point.lsn <= lsn) {
            if point.lsn == lsn && point.chain != chain {
                let problem = format!("it is of another history of this store: LSN {lsn} is another plan here");
                return Err(damaged(&point.path, 0, problem));
            }
        }
        Ok(())
    }
}

fn open_segment(storage: &dyn Storage, path: &str, access: Access) -> Result<Box<dyn StorageFile>, RecoveryError> {
    match access {
        Access::ReadOnly => storage.open_read_only(path).map_err(io_error("opening", path)),
        Access::Own => {
            let file = storage.open(path).map_err(io_error("opening", path))?;
            file.sync_data().map_err(io_error("syncing", path))?;
            file.drop_cache();
            file.read_ahead();
            Ok(file)
        }
    }
}

/// A segment, to be read.
type Opened = (Lsn, Box<dyn StorageFile>);

/// Opens what a link leads to that no listed name does: the segment that still has the prepared one's name. None if a
/// daemon has begun it since the folder was listed: for whoever only looks the journal ends before it. Otherwise it is
/// `lost`.
fn open_linked(
    storage: &dyn Storage,
    store_id: StoreId,
    access: Access,
    base_lsn: Lsn,
    index: &SegmentMap,
    lost: RecoveryError,
) -> Result<Option<Opened>, RecoveryError> {
    if prepared_base(storage, store_id)? == Some(base_lsn) {
        let file = open_segment(storage, PREPARED_PATH, access)?;
        index.put_unnamed(base_lsn, file.len().map_err(io_error("reading", PREPARED_PATH))?);
        return Ok(Some((base_lsn, file)));
    }
    let is_begun = access == Access::ReadOnly && storage.open_read_only(&segment_path(base_lsn)).is_ok();
    if is_begun { Ok(None) } else { Err(lost) }
}

fn check_header(bytes: &[u8], path: &str, store_id: StoreId, base_lsn: Lsn) -> Result<SegmentHeader, RecoveryError> {
    let header = SegmentHeader::decode(bytes).map_err(|error| match error {
        HeaderError::Damaged => damaged(path, 0, format!("the segment {error}")),
        HeaderError::Version(_) | HeaderError::Features(_) => {
            RecoveryError::Version { path: path.to_owned(), problem: format!("the segment {error}") }
        }
    })?;
    if header.store_id != store_id {
        return Err(damaged(path, 0, format!("it belongs to store {}, not to {store_id}", header.store_id)));
    }
    if header.base_lsn != base_lsn {
        return Err(damaged(path, 0, format!("it begins with LSN {}, not with its name's", header.base_lsn)));
    }
    Ok(header)
}

/// What reading a segment came to.
struct RedoneSegment {
    /// Where some of its frames are.
    marks: Vec<FrameMark>,
    /// Whether another segment follows that no name leads to.
    is_linked: bool,
}

fn missing(path: &str, offset: usize, base_lsn: Lsn) -> RecoveryError {
    damaged(path, offset, format!("the segment with LSN {base_lsn} is missing"))
}

/// Replays the frames up to the next segment's, or, in the last segment, as far as they read.
fn redo_segment(
    scan: &mut Scan<'_>,
    next: Option<Lsn>,
    range: &RedoRange,
    points: &mut Points<'_>,
    path: &str,
    recovered: &mut Recovered,
    redo: &mut Redo<'_>,
) -> Result<RedoneSegment, RecoveryError> {
    recovered.sealed = false;
    let mut together = Vec::with_capacity(TOGETHER);
    let (mut marks, mut is_linked) = (Vec::new(), false);
    let mut pace = MarkPace::from(FrameMark { lsn: scan.last_lsn.next(), offset: scan.offset as u64 });
    // What lies behind the next segment's base was left behind by a recovery: it is not looked at again.
    while next.is_none_or(|next| scan.last_lsn.next() < next) && !recovered.sealed {
        match scan.step() {
            Step::Plan { lsn, offset, body } => {
                let frame = FrameMark { lsn, offset: offset as u64 };
                if pace.take_if_due(frame) {
                    marks.push(frame);
                }
                if lsn > range.after {
                    together.push(RedoFrame { lsn, body, offset });
                }
                if together.len() == TOGETHER {
                    redo_together(&mut together, path, recovered, redo)?;
                }
                points.check(lsn, scan.chain)?;
                recovered.last_lsn = lsn;
            }
            Step::Mark => {}
            Step::Seal => recovered.sealed = true,
            Step::Link if next.is_none() => {
                is_linked = true;
                break;
            }
            Step::Link => return Err(missing(path, scan.plans_end, recovered.last_lsn.next())),
            Step::Unknown(kind) => {
                let problem = format!("offset {}: {kind}, which this orderd does not know", scan.offset);
                return Err(RecoveryError::Version { path: path.to_owned(), problem });
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
        Some(_) | None => Ok(RedoneSegment { marks, is_linked }),
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
