//! What the journal keeps in a feed's position.

use crate::contracts::{FEED_PLACE_BYTES, FeedPlace, FeedPosition, Lsn, Sequence};

/// A place in the outbox, as the journal understands it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalPosition {
    /// The last event before it.
    pub sequence: Sequence,
    /// The store's epoch when that event was stored; zero if it was not read.
    pub epoch: u32,
    /// The plan that holds it.
    pub lsn: Lsn,
    /// A hint: the first LSN of the segment that holds the plan.
    pub segment: Lsn,
    /// A hint: the plan's byte offset in that segment.
    pub offset: u64,
    /// The checksum of that plan: a cursor that stands in another history is found out.
    pub body_crc: u32,
}

impl JournalPosition {
    /// Nothing in the segments before the one of this plan is needed to go on from here. Where the segment is not known,
    /// that holds of the plans before this one.
    #[must_use]
    pub fn first_needed(&self) -> Lsn {
        if self.segment > Lsn::ZERO { self.segment } else { self.lsn }
    }
}

const NUMBER_BYTES: usize = size_of::<u64>();
const _: () = assert!(3 * NUMBER_BYTES + size_of::<u32>() == FEED_PLACE_BYTES);

/// ```text
/// place: offset  bytes  field           little-endian
///             0      8  lsn
///             8      8  segment
///            16      8  offset
///            24      4  body checksum
/// ```
impl From<JournalPosition> for FeedPosition {
    fn from(position: JournalPosition) -> Self {
        let JournalPosition { sequence, epoch, lsn, segment, offset, body_crc } = position;
        let mut place = FeedPlace::default();
        let (numbers, rest) = place.0.as_chunks_mut::<NUMBER_BYTES>();
        for (bytes, number) in numbers.iter_mut().zip([lsn.0, segment.0, offset]) {
            *bytes = number.to_le_bytes();
        }
        rest.copy_from_slice(&body_crc.to_le_bytes());
        Self { sequence, epoch, place }
    }
}

impl From<FeedPosition> for JournalPosition {
    fn from(position: FeedPosition) -> Self {
        let FeedPosition { sequence, epoch, place } = position;
        let (numbers, rest) = place.0.as_chunks::<NUMBER_BYTES>();
        let mut numbers = numbers.iter().copied().map(u64::from_le_bytes);
        let mut number = || numbers.next().unwrap_or_default();
        let (lsn, segment, offset) = (Lsn(number()), Lsn(number()), number());
        let body_crc = rest.try_into().map(u32::from_le_bytes).unwrap_or_default();
        Self { sequence, epoch, lsn, segment, offset, body_crc }
    }
}

/// The plan that holds the event before `position`.
#[must_use]
pub fn lsn_of(position: &FeedPosition) -> Lsn {
    JournalPosition::from(*position).lsn
}
