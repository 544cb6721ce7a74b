use super::*;
use crate::relay::testing::STORE_ID;

fn owner() -> Owner {
    Owner::new(STORE_ID, "events")
}

fn slot(generation: u64) -> Slot {
    let position = FeedPosition {
        sequence: Sequence(1000 + generation),
        lsn: Lsn(500 + generation),
        body_crc: 0xdead_beef,
        segment: Lsn(17),
        offset: 0x0102_0304_0506_0708,
    };
    Slot { generation, position }
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
    let start = slot * SLOT_BYTES;
    let checksum = crc32c::crc32c(&file[start..start + CHECKED_BYTES]);
    file[start + CHECKED_BYTES..start + FIELDS_BYTES].copy_from_slice(&checksum.to_le_bytes());
    file
}

#[test]
fn a_slot_has_the_layout_that_is_drawn() {
    let bytes = slot(3).encode(owner());
    let hex: String = bytes[..FIELDS_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    let drawn = [
        "4f52445243555253",                 // "ORDRCURS"
        "0100",                             // version
        "0000",                             // zero
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
    assert_eq!(bytes[CHECKED_BYTES..FIELDS_BYTES], crc32c::crc32c(&bytes[..CHECKED_BYTES]).to_le_bytes());
    assert!(bytes[FIELDS_BYTES..].iter().all(|byte| *byte == 0));
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
            assert_eq!((slots.newest, slots.older), (left, None), "bit {bit}");
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
fn a_later_format_is_told_from_damage() {
    for slot in [0, 1] {
        let mut later = file(4);
        later[slot * SLOT_BYTES + MAGIC.len()] = 2;
        assert_eq!(decode(&with_valid_checksum(later, slot), owner()), Err(Defect::NewerFormat(2)));
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
