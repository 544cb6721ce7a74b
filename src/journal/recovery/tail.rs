//! What the end of the last segment means.

use super::recovered::TornTail;
use super::tail_repair::TailRepair;
use crate::contracts::Lsn;
use crate::journal::RecoveryError;
use crate::journal::error::damaged;
use crate::journal::format::SegmentHeader;
use crate::journal::scan::{Scan, Tail};

/// How the journal ends.
pub(super) struct JournalEnd {
    pub torn_tail: Option<TornTail>,
    pub repair: Option<TailRepair>,
}

/// Decides what the end of the last segment means.
pub(super) fn read_end(
    scan: &Scan<'_>,
    header: &SegmentHeader,
    must_reach: Lsn,
    path: &str,
    sealed: bool,
    file_len: u64,
) -> Result<JournalEnd, RecoveryError> {
    let missing = scan.last_lsn.next();
    if must_reach >= missing {
        let problem =
            format!("LSN {missing} is unreadable or missing, but a cursor or checkpoint has LSN {must_reach}");
        return Err(damaged(path, scan.offset, problem));
    }
    let torn_tail = match scan.tail() {
        Tail::Unwritten => None,
        Tail::Torn if sealed => return Err(damaged(path, scan.offset, "there are bytes behind the seal")),
        Tail::Torn => {
            let offset = scan.offset as u64;
            Some(TornTail { path: path.to_owned(), offset, bytes: file_len.saturating_sub(offset) })
        }
        Tail::Damaged { proof_offset } => {
            let problem = format!("LSN {missing} is unreadable, but offset {proof_offset} proves that it was durable");
            return Err(damaged(path, scan.offset, problem));
        }
    };
    Ok(JournalEnd { torn_tail, repair: TailRepair::of(scan, header, sealed, file_len) })
}
