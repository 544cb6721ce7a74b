//! What the end of the last segment means.

use super::error::damaged;
use super::read::ReadJournal;
use super::tail_repair::TailRepair;
use super::{RecoveryError, RedoRange, TornTail};
use crate::journal::format::SegmentHeader;
use crate::journal::scan::{Scan, Tail};

/// Decides what the end of the last segment means.
pub(super) fn finish(
    scan: &Scan<'_>,
    header: &SegmentHeader,
    range: &RedoRange,
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
