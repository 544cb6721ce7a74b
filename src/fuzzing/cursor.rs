//! A cursor's file.

use uuid::Uuid;

use super::edits::edit;
use super::input::Input;
use crate::contracts::{FeedPosition, Lsn, ProgressDetails, Sequence, WindowBits};
use crate::repo::cursor_format::{FILE_BYTES, Owner, SLOT_BYTES, Slot, decode};
use crate::repo::{JournalPosition, lsn_of};

const STORE_ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_def0_0123_4567_89ab_cdef);

fn owner() -> Owner {
    Owner::new(STORE_ID, "events")
}

/// What is accepted stands in the file as it would be written; damage to one slot never changes what the other says.
pub fn cursor(data: &[u8]) {
    let mut input = Input::new(data);
    let (mode, edits) = (input.byte() % 4, input.byte() % 4);
    if mode == 0 {
        let mut bytes = input.rest().to_vec();
        bytes.resize(FILE_BYTES, 0);
        check(&bytes);
        check(data);
        return;
    }
    let slots = slots(&mut input, mode == 3);
    let mut bytes = [slots[0].encode(owner()), slots[1].encode(owner())].concat();
    for _ in 0..edits {
        edit(&mut bytes, &mut input);
        if input.byte().is_multiple_of(4) {
            bytes.resize(FILE_BYTES, 0);
        }
        if mode == 2 && bytes.len() == FILE_BYTES {
            mend(&mut bytes[..SLOT_BYTES]);
            mend(&mut bytes[SLOT_BYTES..]);
        }
    }
    let read = check(&bytes);
    if let (Some(read), 1 | 3) = (read, mode) {
        assert!(slots.contains(&read), "a position that was never saved: {read:?}");
    }
}

fn mend(slot: &mut [u8]) {
    let first = crc32c::crc32c(&slot[..76]);
    slot[76..80].copy_from_slice(&first.to_le_bytes());
    let whole = crc32c::crc32c_append(first, &slot[80..SLOT_BYTES - 4]);
    slot[SLOT_BYTES - 4..].copy_from_slice(&whole.to_le_bytes());
}

/// Two saves: one after the other, or any two.
fn slots(input: &mut Input<'_>, any: bool) -> [Slot; 2] {
    let position = |input: &mut Input<'_>, before: &FeedPosition| {
        let position = JournalPosition {
            sequence: Sequence(before.sequence.0.wrapping_add(input.number())),
            lsn: Lsn(lsn_of(before).0.wrapping_add(input.number())),
            body_crc: input.u32(),
            segment: Lsn(input.number()),
            offset: input.number(),
            epoch: input.u32(),
        };
        FeedPosition::from(position)
    };
    let generation = input.number();
    let first = Slot { generation, position: position(input, &FeedPosition::START), details: details(input) };
    let generation = if any { input.number() } else { generation.wrapping_add(1) };
    let second = Slot { generation, position: position(input, &first.position), details: details(input) };
    if first.generation.is_multiple_of(2) || any { [first, second] } else { [second, first] }
}

fn details(input: &mut Input<'_>) -> ProgressDetails {
    let mut window = WindowBits::default();
    for _ in 0..input.byte() {
        window.push(input.byte().is_multiple_of(2));
    }
    let (delivered, failed) = (input.number(), input.number());
    ProgressDetails { delivered, failed, window, ..ProgressDetails::default() }
}

fn check(bytes: &[u8]) -> Option<Slot> {
    let slots = decode(bytes, owner()).ok()?;
    assert_eq!(bytes.len(), FILE_BYTES);
    for slot in std::iter::once(&slots.newest).chain(&slots.older) {
        let at = slot.offset() as usize;
        assert_eq!(bytes[at..at + SLOT_BYTES], slot.encode(owner()));
    }
    assert_eq!(slots.older.is_none(), slots.torn.is_some());
    if let Some(older) = &slots.older {
        assert!(older.position.sequence <= slots.newest.position.sequence);
        assert!(lsn_of(&older.position) <= lsn_of(&slots.newest.position));
    }
    Some(slots.newest)
}
