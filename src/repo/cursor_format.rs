//! The bytes of a cursor file.
//!
//! ```text
//! file: slot 0, slot 1                       8192 bytes, always
//!
//! slot: offset  bytes  field                 little-endian
//!            0      8  magic "ORDRCURS"
//!            8      2  format version
//!           10      2  kind                  0 live, 1 of a snapshot, 2 of a replay
//!           12      4  sink                  CRC-32C of its name: a cursor in another sink's place is found out
//!           16     16  store id
//!           32      8  generation            one more than the save before; slot = generation mod 2
//!           40      8  sequence              every event up to this one is settled
//!           48     28  place                 where the feed finds it again: see `JournalPosition`
//!           76      4  checksum              CRC-32C of bytes 0 to 75
//!           80      4  epoch                 the store's, when the event was stored; 0 if it was not read
//!           84      4  window                how many events after the sequence the bitmap speaks of
//!           88      8  rows                  of a snapshot: every row up to this one is settled
//!           96      8  delivered             of a replay: events that the sink took
//!          104      8  failed                of a replay: events that were given up
//!          112      8  file length           of a file sink: so much of it is synced
//!          120      8  file inode            of which file
//!          128      8  file device           on which file system
//!          136      8  zero
//!          144   3752  bitmap                bit n: event sequence + 1 + n is settled (of a snapshot: row rows + 1 + n)
//!         3896    196  zero
//!         4092      4  checksum              CRC-32C of bytes 0 to 75 and 80 to 4091
//! ```
//!
//! The second checksum leaves the first one out: bytes with their own CRC behind them all look the same to a CRC, so it
//! would not notice new first fields before an old rest.
//!
//! A slot is a page, and a save may be torn anywhere in it: then its checksum does not fit, and the other slot counts.
//! Every version keeps magic, version and the first checksum where they are, so that an orderd can tell a file of
//! another version from a damaged one.

use uuid::Uuid;

use super::journal_position::lsn_of;
use crate::contracts::{
    FEED_PLACE_BYTES, FeedPlace, FeedPosition, ProgressDetails, ProgressKind, Sequence, TargetMark, WINDOW_EVENTS_MAX,
    WindowBits,
};

/// The format that this orderd writes.
pub const VERSION: u16 = 2;
/// The length of a slot: a page.
pub const SLOT_BYTES: usize = 4096;
/// The length of the file.
pub const FILE_BYTES: usize = 2 * SLOT_BYTES;

const MAGIC: [u8; 8] = *b"ORDRCURS";
const CHECKED_BYTES: usize = 76;
const BITMAP_OFFSET: usize = 144;
const BITMAP_BYTES: usize = 3752;
const END_CHECKED_BYTES: usize = SLOT_BYTES - size_of::<u32>();
const _: () = assert!(WINDOW_EVENTS_MAX <= BITMAP_BYTES * 8 && BITMAP_OFFSET + BITMAP_BYTES <= END_CHECKED_BYTES);

/// Whose cursor it is: another's says nothing about what this sink has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    store_id: Uuid,
    sink_crc: u32,
}

impl Owner {
    /// The sink of this name, of this store.
    #[must_use]
    pub fn new(store_id: Uuid, sink: &str) -> Self {
        Self { store_id, sink_crc: crc32c::crc32c(sink.as_bytes()) }
    }
}

/// One save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub generation: u64,
    /// What was saved.
    pub position: FeedPosition,
    /// What else was saved.
    pub details: ProgressDetails,
}

/// What a cursor file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The last save.
    pub newest: Slot,
    /// The save before, if its slot is readable.
    pub older: Option<Slot>,
    /// The index of the slot that is not readable, if one is not.
    pub torn: Option<usize>,
}

/// Why bytes are no cursor of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// No crash leaves this behind.
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// They are another store's.
    WrongStore(Uuid),
    /// They are another sink's.
    WrongSink,
    /// They have the format of another version.
    OtherFormat(u16),
}

const fn damaged(offset: usize, reason: &'static str) -> Defect {
    Defect::Damaged { offset: offset as u64, reason }
}

impl Slot {
    /// Where in the file it belongs.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        (self.generation % 2) * SLOT_BYTES as u64
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self, owner: Owner) -> [u8; SLOT_BYTES] {
        let FeedPosition { sequence, epoch, place } = self.position;
        let ProgressDetails { kind, rows, delivered, failed, file, window } = &self.details;
        let mut slot = [0; SLOT_BYTES];
        let mut rest = slot.as_mut_slice();
        put(&mut rest, &MAGIC);
        put(&mut rest, &VERSION.to_le_bytes());
        put(&mut rest, &number_of(*kind).to_le_bytes());
        put(&mut rest, &owner.sink_crc.to_le_bytes());
        put(&mut rest, owner.store_id.as_bytes());
        put(&mut rest, &self.generation.to_le_bytes());
        put(&mut rest, &sequence.0.to_le_bytes());
        put(&mut rest, &place.0);
        let (checked, unwritten) = slot.split_at_mut(CHECKED_BYTES);
        let mut rest = unwritten;
        put(&mut rest, &crc32c::crc32c(checked).to_le_bytes());
        put(&mut rest, &epoch.to_le_bytes());
        put(&mut rest, &u32::try_from(window.len()).unwrap_or_default().to_le_bytes());
        for number in [*rows, *delivered, *failed, file.len, file.inode, file.device, 0] {
            put(&mut rest, &number.to_le_bytes());
        }
        put(&mut rest, window.bytes());
        let checksum = end_checksum(&slot).to_le_bytes();
        let (_, mut rest) = slot.split_at_mut(END_CHECKED_BYTES);
        put(&mut rest, &checksum);
        slot
    }

    /// Reads what [`Slot::encode`] wrote.
    ///
    /// `Ok(None)` if the bytes may be those of a save that a crash interrupted.
    fn decode(slot: &[u8], owner: Owner) -> Result<Option<Self>, Defect> {
        let Some((start, _)) = slot.split_at_checked(CHECKED_BYTES + size_of::<u32>()) else { return Ok(None) };
        let mut fields = start;
        let (Some(magic), Some(version)) = (take(&mut fields, MAGIC.len()), take(&mut fields, size_of::<u16>())) else {
            return Ok(None);
        };
        let stored = |at: usize| slot.get(at..at + size_of::<u32>()).and_then(u32_of);
        if magic != MAGIC || stored(CHECKED_BYTES) != slot.get(..CHECKED_BYTES).map(crc32c::crc32c) {
            return Ok(None);
        }
        // The first fields are what somebody wrote whole.
        match version.try_into().map(u16::from_le_bytes) {
            Ok(VERSION) => {}
            Ok(0) | Err(_) => return Ok(None),
            Ok(version) => return Err(Defect::OtherFormat(version)),
        }
        if stored(END_CHECKED_BYTES) != Some(end_checksum(slot)) {
            return Ok(None);
        }
        let (Some(kind), Some(sink_crc), Some(found_id)) = (
            take(&mut fields, size_of::<u16>()).and_then(u16_of).and_then(kind_of),
            take(&mut fields, size_of::<u32>()).and_then(u32_of),
            take(&mut fields, size_of::<Uuid>()).and_then(|bytes| Uuid::from_slice(bytes).ok()),
        ) else {
            return Ok(None);
        };
        if found_id != owner.store_id {
            return Err(Defect::WrongStore(found_id));
        }
        if sink_crc != owner.sink_crc {
            return Err(Defect::WrongSink);
        }
        Ok(Self::decode_fields(fields, slot, kind))
    }

    fn decode_fields(mut fields: &[u8], slot: &[u8], kind: ProgressKind) -> Option<Self> {
        let mut number = || take(&mut fields, size_of::<u64>()).and_then(u64_of);
        let (generation, sequence) = (number()?, Sequence(number()?));
        let place = FeedPlace(fields.get(..FEED_PLACE_BYTES)?.try_into().ok()?);
        let (before, mut bitmap) = slot.get(..END_CHECKED_BYTES)?.split_at_checked(BITMAP_OFFSET)?;
        let mut fields = before.get(CHECKED_BYTES + size_of::<u32>()..)?;
        let epoch = take(&mut fields, size_of::<u32>()).and_then(u32_of)?;
        let window_events = take(&mut fields, size_of::<u32>()).and_then(u32_of)?;
        let position = FeedPosition { sequence, epoch, place };
        let mut number = || take(&mut fields, size_of::<u64>()).and_then(u64_of);
        let (rows, delivered, failed) = (number()?, number()?, number()?);
        let file = TargetMark { len: number()?, inode: number()?, device: number()? };
        let zero = number()?;
        let window = WindowBits::from_bytes(take(&mut bitmap, BITMAP_BYTES)?, usize::try_from(window_events).ok()?)?;
        let zeros = zero == 0 && bitmap.iter().all(|byte| *byte == 0);
        let details = ProgressDetails { kind, rows, delivered, failed, file, window };
        zeros.then_some(Self { generation, position, details })
    }
}

const fn number_of(kind: ProgressKind) -> u16 {
    match kind {
        ProgressKind::Live => 0,
        ProgressKind::Snapshot => 1,
        ProgressKind::Replay => 2,
    }
}

fn kind_of(number: u16) -> Option<ProgressKind> {
    [ProgressKind::Live, ProgressKind::Snapshot, ProgressKind::Replay]
        .into_iter()
        .find(|kind| number_of(*kind) == number)
}

/// Reads a whole cursor file.
///
/// # Errors
/// See [`Defect`].
pub fn decode(file: &[u8], owner: Owner) -> Result<Slots, Defect> {
    if file.len() < FILE_BYTES {
        return Err(damaged(file.len(), "the file is too short"));
    }
    if file.len() > FILE_BYTES {
        return Err(damaged(FILE_BYTES, "the file is too long"));
    }
    let (first, second) = file.split_at(SLOT_BYTES);
    let (first, second) = (Slot::decode(first, owner)?, Slot::decode(second, owner)?);
    for (slot, offset) in [(&first, 0), (&second, SLOT_BYTES)] {
        if slot.as_ref().is_some_and(|slot| slot.offset() != offset as u64) {
            return Err(damaged(offset, "a slot stands in the other's place"));
        }
    }
    let (newest, older, torn) = match (first, second) {
        (None, None) => return Err(damaged(0, "neither of the two slots is readable")),
        (Some(only), None) => (only, None, Some(1)),
        (None, Some(only)) => (only, None, Some(0)),
        (Some(first), Some(second)) if first.generation > second.generation => (first, Some(second), None),
        (Some(first), Some(second)) => (second, Some(first), None),
    };
    if let Some(older) = &older {
        let follows = older.generation.checked_add(1) == Some(newest.generation)
            && older.position.sequence <= newest.position.sequence
            && lsn_of(&older.position) <= lsn_of(&newest.position)
            && (newest.details.kind != ProgressKind::Snapshot || older.details.rows <= newest.details.rows);
        if !follows {
            return Err(damaged(0, "the two slots do not follow each other"));
        }
    }
    Ok(Slots { newest, older, torn })
}

/// The checksum of a whole slot, its first checksum left out.
fn end_checksum(slot: &[u8]) -> u32 {
    let first = slot.get(..CHECKED_BYTES).unwrap_or_default();
    let rest = slot.get(CHECKED_BYTES + size_of::<u32>()..END_CHECKED_BYTES).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c(first), rest)
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (place, behind) = std::mem::take(rest).split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    *rest = behind;
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    rest.split_off(..count)
}

fn u64_of(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().map(u64::from_le_bytes).ok()
}

fn u16_of(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().map(u16::from_le_bytes).ok()
}

fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().map(u32::from_le_bytes).ok()
}

#[cfg(test)]
#[path = "cursor_format_test.rs"]
mod tests;
