//! Where a plan ends in its segment: what a copy at one position needs to know of a segment that is still written.

use super::format::{SEGMENT_HEADER_LEN, SegmentHeader};
use super::scan::{Scan, Step};
use crate::contracts::Lsn;

/// Bytes of a segment up to the end of the plan `lsn`, or of its header if the segment begins right after that plan;
/// `None` if the plan is not whole in it. A segment cut there is read like one after a crash: what follows is missing,
/// and nothing says that there was anything.
#[must_use]
pub fn plan_end(segment: &[u8], lsn: Lsn) -> Option<usize> {
    let header = SegmentHeader::decode(segment).ok()?;
    if header.base_lsn == lsn.next() {
        return Some(SEGMENT_HEADER_LEN);
    }
    let mut scan = Scan::new(&header, segment);
    loop {
        match scan.step() {
            Step::Plan { lsn: read, .. } if read == lsn => return Some(scan.offset),
            Step::Plan { .. } | Step::Mark => {}
            Step::Seal | Step::Link | Step::Unknown(_) | Step::Unreadable => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::segment_path;
    use crate::journal::testing::{append, start};
    use crate::testkit::Watched;

    #[test]
    fn a_segment_is_cut_right_after_a_plan() {
        let storage = Watched::new();
        let mut journal = start(&storage);
        let path = segment_path(Lsn(1));
        append(&mut journal, b"first");
        append(&mut journal, b"second");
        let bytes = storage.memory.files()[&path].clone();
        let ends: Vec<_> = (0..=3).map(|lsn| plan_end(&bytes, Lsn(lsn))).collect();
        assert_eq!(ends[0], Some(SEGMENT_HEADER_LEN));
        assert!(ends[0] < ends[1] && ends[1] < ends[2], "{ends:?}");
        assert_eq!(ends[3], None);
        assert!(bytes[ends[2].unwrap()..].iter().all(|byte| *byte == 0), "nothing was written after the last plan");
        assert_eq!(plan_end(b"nonsense", Lsn(1)), None);
    }
}
