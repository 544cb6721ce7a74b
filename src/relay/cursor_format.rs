//! The bytes of a cursor file.
//!
//! ```text
//! file: slot 0, slot 1                       8192 bytes, always
//!
//! slot: offset  bytes  field                 little-endian
//!            0      8  magic "ORDRCURS"
//!            8      2  format version
//!           10      2  zero
//!           12      4  sink                  CRC-32C of its name: a cursor in another sink's place is found out
//!           16     16  store id
//!           32      8  generation            one more than the save before; slot = generation mod 2
//!           40      8  sequence              the last event that the sink acknowledged
//!           48      8  lsn                   the plan that holds it
//!           56      8  segment               a hint: first LSN of the segment that holds the plan
//!           64      8  offset                a hint: where in that segment
//!           72      4  body checksum         of the plan
//!           76      4  checksum              CRC-32C of bytes 0 to 75
//!           80   4016  zero
//! ```
//!
//! All fields lie in the first sector, the smallest unit that disks write whole; the zeros keep the slots on pages of
//! their own. Every later version keeps magic, version and checksum where they are, so that an older orderd can tell
//! a newer file from a damaged one.

use uuid::Uuid;

use crate::contracts::{FeedPosition, Lsn, Sequence};

/// The format that this orderd writes.
pub const VERSION: u16 = 1;
/// The length of a slot: a page.
pub const SLOT_BYTES: usize = 4096;
/// The length of the file.
pub const FILE_BYTES: usize = 2 * SLOT_BYTES;

const MAGIC: [u8; 8] = *b"ORDRCURS";
const RESERVED_BYTES: usize = 2;
const CHECKED_BYTES: usize = 76;
const FIELDS_BYTES: usize = CHECKED_BYTES + size_of::<u32>();
const _: () = assert!(FIELDS_BYTES <= 512 && SLOT_BYTES.is_multiple_of(512));

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub generation: u64,
    /// What was saved.
    pub position: FeedPosition,
}

/// What a cursor file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// They have a later format.
    NewerFormat(u16),
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
        let FeedPosition { sequence, lsn, body_crc, segment, offset } = self.position;
        let mut slot = [0; SLOT_BYTES];
        let mut rest = slot.as_mut_slice();
        put(&mut rest, &MAGIC);
        put(&mut rest, &VERSION.to_le_bytes());
        put(&mut rest, &[0; RESERVED_BYTES]);
        put(&mut rest, &owner.sink_crc.to_le_bytes());
        put(&mut rest, owner.store_id.as_bytes());
        for number in [self.generation, sequence.0, lsn.0, segment.0, offset] {
            put(&mut rest, &number.to_le_bytes());
        }
        put(&mut rest, &body_crc.to_le_bytes());
        let (checked, unwritten) = slot.split_at_mut(CHECKED_BYTES);
        let mut rest = unwritten;
        put(&mut rest, &crc32c::crc32c(checked).to_le_bytes());
        slot
    }

    /// Reads what [`Slot::encode`] wrote.
    ///
    /// `Ok(None)` if the bytes may be those of a save that a crash interrupted.
    fn decode(slot: &[u8], owner: Owner) -> Result<Option<Self>, Defect> {
        let Some((checked, rest)) = slot.split_at_checked(CHECKED_BYTES) else { return Ok(None) };
        let mut rest = rest;
        let mut fields = checked;
        let lengths = [MAGIC.len(), size_of::<u16>(), RESERVED_BYTES, size_of::<u32>(), size_of::<Uuid>()];
        let [Some(magic), Some(version), Some(zeros), Some(sink_crc), Some(found_id)] =
            lengths.map(|count| take(&mut fields, count))
        else {
            return Ok(None);
        };
        let checksum = take(&mut rest, size_of::<u32>()).and_then(u32_of);
        if magic != MAGIC || checksum != Some(crc32c::crc32c(checked)) {
            return Ok(None);
        }
        // From here on the bytes are what somebody wrote whole.
        match version.try_into().map(u16::from_le_bytes) {
            Ok(version) if version > VERSION => return Err(Defect::NewerFormat(version)),
            Ok(VERSION) if zeros == [0; RESERVED_BYTES] && rest == [0; SLOT_BYTES - FIELDS_BYTES] => {}
            Ok(_) | Err(_) => return Ok(None),
        }
        let found_id = Uuid::from_slice(found_id).unwrap_or_default();
        if found_id != owner.store_id {
            return Err(Defect::WrongStore(found_id));
        }
        if u32_of(sink_crc) != Some(owner.sink_crc) {
            return Err(Defect::WrongSink);
        }
        let mut number = || take(&mut fields, size_of::<u64>()).and_then(u64_of);
        let (Some(generation), Some(sequence), Some(lsn), Some(segment), Some(offset)) =
            (number(), number(), number(), number(), number())
        else {
            return Ok(None);
        };
        let Some(body_crc) = u32_of(fields) else { return Ok(None) };
        let position =
            FeedPosition { sequence: Sequence(sequence), lsn: Lsn(lsn), body_crc, segment: Lsn(segment), offset };
        Ok(Some(Self { generation, position }))
    }
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
    for (slot, offset) in [(first, 0), (second, SLOT_BYTES)] {
        if slot.is_some_and(|slot| slot.offset() != offset as u64) {
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
    if let Some(older) = older {
        let follows = older.generation.checked_add(1) == Some(newest.generation)
            && older.position.sequence <= newest.position.sequence
            && older.position.lsn <= newest.position.lsn;
        if !follows {
            return Err(damaged(0, "the two slots do not follow each other"));
        }
    }
    Ok(Slots { newest, older, torn })
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

fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().map(u32::from_le_bytes).ok()
}

#[cfg(test)]
#[path = "cursor_format_test.rs"]
mod tests;
