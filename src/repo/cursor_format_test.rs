use super::*;
use crate::contracts::Lsn;
use crate::relay::testing::STORE_ID;
use crate::repo::JournalPosition;

fn owner() -> Owner {
    Owner::new(STORE_ID, "events")
}

fn slot(generation: u64) -> Slot {
    let position = JournalPosition {
        sequence: Sequence(1000 + generation),
        epoch: 3,
        lsn: Lsn(500 + generation),
        body_crc: 0xdead_beef,
        segment: Lsn(17),
        offset: 0x0102_0304_0506_0708,
    };
    let position = position.into();
    Slot { generation, position, details: details(generation) }
}

fn details(generation: u64) -> ProgressDetails {
    let mut window = WindowBits::default();
    for bit in 0..generation % 40 {
        window.push(bit % 3 == 1);
    }
    let file = TargetMark { len: 0x77 + generation, inode: 5, device: 6 };
    ProgressDetails { kind: ProgressKind::Live, rows: 0, delivered: 1, failed: 2, file, window }
}

/// A file after save number `generation`.
fn file(generation: u64) -> Vec<u8> {
    let mut file = vec![0; FILE_BYTES];
    for slot in [slot(generation - 1), slot(generation)] {
        let offset = usize::try_from(slot.offset()).unwrap();
        file[offset..offset + SLOT_BYTES].copy_from_slice(&slot.encode(owner()));
    }
    file
}

/// Replaces the checksum by that of the changed fields, as somebody who writes whole slots would have.
fn with_valid_checksum(mut file: Vec<u8>, slot: usize) -> Vec<u8> {
    let slot = &mut file[slot * SLOT_BYTES..(slot + 1) * SLOT_BYTES];
    let first = crc32c::crc32c(&slot[..CHECKED_BYTES]);
    slot[CHECKED_BYTES..CHECKED_BYTES + 4].copy_from_slice(&first.to_le_bytes());
    let whole = end_checksum(slot);
    slot[END_CHECKED_BYTES..].copy_from_slice(&whole.to_le_bytes());
    file
}

#[test]
fn a_slot_has_the_layout_that_is_drawn() {
    let bytes = slot(3).encode(owner());
    let hex: String = bytes[..BITMAP_OFFSET + 8].iter().map(|byte| format!("{byte:02x}")).collect();
    let drawn = [
        "4f52445243555253",                 // "ORDRCURS"
        "0200",                             // version
        "0000",                             // kind
        "dac39d34",                         // sink
        "123456789abcdef00123456789abcdef", // store id
        "0300000000000000",                 // generation
        "eb03000000000000",                 // sequence
        "f701000000000000",                 // lsn
        "1100000000000000",                 // segment
        "0807060504030201",                 // offset
        "efbeadde",                         // body checksum
    ];
    assert!(hex.starts_with(&drawn.concat()), "{hex}");
    let drawn = [
        "03000000",         // epoch
        "03000000",         // window
        "0000000000000000", // rows
        "0100000000000000", // delivered
        "0200000000000000", // failed
        "7a00000000000000", // file length
        "0500000000000000", // file inode
        "0600000000000000", // file device
        "0000000000000000", // zero
        "0200000000000000", // bitmap
    ];
    assert_eq!(hex[2 * (CHECKED_BYTES + 4)..], drawn.concat());
    let first = crc32c::crc32c(&bytes[..CHECKED_BYTES]);
    let whole = crc32c::crc32c(&[&bytes[..CHECKED_BYTES], &bytes[CHECKED_BYTES + 4..END_CHECKED_BYTES]].concat());
    assert_eq!(bytes[CHECKED_BYTES..CHECKED_BYTES + 4], first.to_le_bytes());
    assert_eq!(bytes[END_CHECKED_BYTES..], whole.to_le_bytes());
    assert!(bytes[BITMAP_OFFSET + 8..END_CHECKED_BYTES].iter().all(|byte| *byte == 0));
}

#[test]
fn what_is_encoded_is_decoded() {
    for generation in [1, 2, 3, 1 << 60] {
        let slots = decode(&file(generation), owner()).unwrap();
        assert_eq!(slots, Slots { newest: slot(generation), older: Some(slot(generation - 1)), torn: None });
    }
}

#[test]
fn any_flipped_bit_gives_one_of_the_two_saves_or_an_error() {
    for generation in [4, 5] {
        let sound = file(generation);
        for bit in 0..FILE_BYTES * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let hit_newest = slot(generation).offset() == (bit / 8 / SLOT_BYTES * SLOT_BYTES) as u64;
            let left = if hit_newest { slot(generation - 1) } else { slot(generation) };
            let slots = decode(&flipped, owner()).unwrap();
            assert_eq!((&slots.newest, &slots.older), (&left, &None), "bit {bit}");
            assert_eq!(slots.torn, Some(bit / 8 / SLOT_BYTES));
        }
    }
}

#[test]
fn two_unreadable_slots_are_an_error_and_never_the_beginning() {
    let expected = Err(Defect::Damaged { offset: 0, reason: "neither of the two slots is readable" });
    for (first, second) in [(0, SLOT_BYTES), (CHECKED_BYTES, SLOT_BYTES + 33), (SLOT_BYTES - 1, FILE_BYTES - 1)] {
        let mut file = file(9);
        file[first] ^= 1;
        file[second] ^= 0x80;
        assert_eq!(decode(&file, owner()), expected);
    }
    for byte in [0, 0xff] {
        assert_eq!(decode(&[byte; FILE_BYTES], owner()), expected);
    }
}

#[test]
fn a_file_of_another_length_is_an_error_at_its_end() {
    let file = file(6);
    for len in 0..FILE_BYTES {
        let expected = Err(Defect::Damaged { offset: len as u64, reason: "the file is too short" });
        assert_eq!(decode(&file[..len], owner()), expected);
    }
    let longer = [file.as_slice(), &[0]].concat();
    let expected = Err(Defect::Damaged { offset: FILE_BYTES as u64, reason: "the file is too long" });
    assert_eq!(decode(&longer, owner()), expected);
}

#[test]
fn a_save_that_a_crash_cut_at_any_byte_is_there_or_not() {
    let (before, after) = (file(6), file(7));
    let overwritten = usize::try_from(slot(7).offset()).unwrap();
    for cut in 0..=SLOT_BYTES {
        for lost in [None, Some(0), Some(0xa5)] {
            let mut torn = before.clone();
            torn[overwritten..overwritten + cut].copy_from_slice(&after[overwritten..overwritten + cut]);
            // The sector at the tear may hold neither the old nor the new bytes.
            if let Some(byte) = lost.filter(|_| cut < SLOT_BYTES) {
                let sector = overwritten + cut / 512 * 512;
                torn[sector..sector + 512].fill(byte);
            }
            let newest = decode(&torn, owner()).unwrap().newest;
            assert!(newest == slot(6) || newest == slot(7), "cut {cut}, lost {lost:?}: {newest:?}");
            assert!(cut > 0 || lost.is_some() || newest == slot(6));
        }
    }
}

#[test]
fn slots_that_no_crash_leaves_behind_are_an_error() {
    let damaged = |file: &[u8]| matches!(decode(file, owner()), Err(Defect::Damaged { .. }));
    let sound = file(8);
    let (first, second) = sound.split_at(SLOT_BYTES);
    assert!(damaged(&[second, first].concat()), "swapped");
    assert!(damaged(&[first, first].concat()), "the first one twice");
    assert!(damaged(&[second, second].concat()), "the second one twice");
    assert!(damaged(&[first, &file(6)[SLOT_BYTES..]].concat()), "a slot of three saves ago");
    let mut backwards = slot(9);
    backwards.position.sequence = Sequence(1);
    assert!(damaged(&[first, &backwards.encode(owner())].concat()), "a position that goes back");
}

#[test]
fn another_stores_cursor_is_told_from_damage() {
    let other = Uuid::from_u128(99);
    let others = Owner::new(other, "events");
    assert_eq!(decode(&file(4), others), Err(Defect::WrongStore(STORE_ID)));
    let mut one_slot = file(4);
    one_slot[..SLOT_BYTES].copy_from_slice(&slot(4).encode(others));
    assert_eq!(decode(&one_slot, owner()), Err(Defect::WrongStore(other)));
}

#[test]
fn another_sinks_cursor_is_never_taken_for_ours() {
    let others = Owner::new(STORE_ID, "audit");
    assert_eq!(decode(&file(4), others), Err(Defect::WrongSink));
    let mut one_slot = file(4);
    one_slot[..SLOT_BYTES].copy_from_slice(&slot(4).encode(others));
    assert_eq!(decode(&one_slot, owner()), Err(Defect::WrongSink));
}

#[test]
fn another_versions_format_is_told_from_damage() {
    for (slot, version) in [(0, 1), (1, 1), (0, 3), (1, 3)] {
        let mut other = file(4);
        other[slot * SLOT_BYTES + MAGIC.len()] = version;
        assert_eq!(decode(&with_valid_checksum(other, slot), owner()), Err(Defect::OtherFormat(version.into())));
    }
    let mut zero = file(4);
    zero[MAGIC.len()] = 0;
    assert_eq!(decode(&with_valid_checksum(zero, 0), owner()).unwrap().torn, Some(0));
}

#[test]
fn arbitrary_bytes_are_never_more_than_an_error() {
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = file(random.u64(1..100));
        for _ in 0..random.usize(1..40) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(FILE_BYTES - 3..FILE_BYTES + 3));
        if let Ok(slots) = decode(&bytes, owner()) {
            assert_eq!(slots.newest, slot(slots.newest.generation), "seed {seed}");
        }
    }
}

#[test]
fn the_largest_window_fits_and_a_bit_that_nobody_speaks_of_is_an_error() {
    let mut largest = slot(4);
    largest.details.window = WindowBits::default();
    for bit in 0..WINDOW_EVENTS_MAX + 10 {
        largest.details.window.push(bit % 7 == 6);
    }
    assert_eq!(largest.details.window.len(), WINDOW_EVENTS_MAX);
    assert_eq!(largest.details.window.settled().take(2).collect::<Vec<_>>(), [7, 14]);
    let mut bytes = file(5);
    bytes[..SLOT_BYTES].copy_from_slice(&largest.encode(owner()));
    assert_eq!(decode(&bytes, owner()).unwrap().older, Some(largest));
    let mut beyond = file(4);
    beyond[BITMAP_OFFSET + 100] = 1;
    assert_eq!(decode(&with_valid_checksum(beyond, 0), owner()).unwrap().torn, Some(0));
}

/// What orderd 0.1 wrote: the first fields alone, and zeros.
#[test]
fn a_cursor_of_version_1_is_refused_by_name() {
    let mut old = file(4);
    for slot in [0, 1] {
        let (start, end) = (slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
        old[start + MAGIC.len()] = 1;
        old[start + CHECKED_BYTES + 4..end].fill(0);
        let checksum = crc32c::crc32c(&old[start..start + CHECKED_BYTES]).to_le_bytes();
        old[start + CHECKED_BYTES..start + CHECKED_BYTES + 4].copy_from_slice(&checksum);
    }
    assert_eq!(decode(&old, owner()), Err(Defect::OtherFormat(1)));
}
