//! What a reader asks the disk for, and what it takes for a frame.

use std::sync::Arc;

use super::format::{FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};
use super::testing::{ALL, OPTIONS, STORE_ID, SteppedClock, Watched, append, start, try_start};
use super::{FRAME_BODY_BYTES_MAX, Journal, JournalHandle, JournalOptions, JournalReader, segment_path};
use crate::contracts::{FeedError, Lsn, Storage};

const SEGMENT: Lsn = Lsn(1);
const KIB: u64 = 1 << 10;

fn reader(storage: &Watched, journal: &Journal, next_lsn: u64) -> JournalReader {
    let (storage, index) = (Arc::new(storage.clone()), Arc::clone(journal.index()));
    JournalReader::new(JournalHandle { storage, index, store_id: STORE_ID }, Lsn(next_lsn))
}

/// A journal of `plans`, and where each of its frames begins.
fn journal_of(plans: u64) -> (Watched, Journal, Vec<u64>) {
    let storage = Watched::new();
    let mut journal = start(&storage);
    for plan in 1..=plans {
        append(&mut journal, format!("plan {plan:03}").as_bytes());
    }
    (storage, journal, (0..plans).map(|before| 64 + before * 48).collect())
}

/// How much each read asked for since this was asked last.
fn reads(storage: &Watched) -> Vec<u64> {
    let reads = storage.calls_of("read ");
    reads.iter().map(|call| call.rsplit('+').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_jump_looks_at_nothing_that_lies_before() {
    let (storage, journal, places) = journal_of(20);
    let file = storage.memory.open(&segment_path(SEGMENT)).unwrap();
    file.write_all_at(&[0xff; 8], places[4]).unwrap();
    for lsn in 6..=20 {
        let mut reader = reader(&storage, &journal, 1);
        reader.jump_to(Lsn(lsn), SEGMENT, places[usize::try_from(lsn).unwrap() - 1]).unwrap();
        let frame = reader.next_frame().unwrap().unwrap();
        assert_eq!((frame.lsn, frame.body), (Lsn(lsn), format!("plan {lsn:03}").as_bytes()));
    }
    let mut walking = reader(&storage, &journal, 6);
    assert!(matches!(walking.next_frame(), Err(FeedError::Damaged(what)) if what.contains("offset 256")));
}

#[test]
fn a_wrong_place_is_only_a_hint() {
    let (storage, journal, places) = journal_of(20);
    let len = storage.memory.files()[&segment_path(SEGMENT)].len() as u64;
    for wrong in places.iter().copied().filter(|place| *place != places[9]).chain([0, 8, len - 1, len, len + 1]) {
        let mut reader = reader(&storage, &journal, 1);
        reader.jump_to(Lsn(10), SEGMENT, wrong).unwrap();
        assert_eq!(reader.next_frame().unwrap().unwrap().lsn, Lsn(10), "{wrong}");
        reader.jump_to(Lsn(10), Lsn(7), places[9]).unwrap();
        assert_eq!(reader.next_frame().unwrap().unwrap().lsn, Lsn(10), "another segment");
    }
}

#[test]
fn a_reader_reads_little_when_it_follows_and_much_when_it_lags() {
    let (storage, mut journal, _) = journal_of(1);
    let mut follower = reader(&storage, &journal, 1);
    for _ in 0..50 {
        append(&mut journal, b"one more");
        while follower.next_frame().unwrap().is_some() {}
    }
    let followed = reads(&storage);
    assert!(followed.len() <= 1 + 51, "one read a batch: {}", followed.len());
    assert!(followed.iter().all(|bytes| *bytes <= 16 * KIB), "{followed:?}");
    for _ in 0..2_000 {
        append(&mut journal, &[7; 2_000]);
    }
    storage.calls();
    while follower.next_frame().unwrap().is_some() {}
    let lagged = reads(&storage);
    assert!(lagged.iter().all(|bytes| *bytes <= KIB * KIB), "{lagged:?}");
    let all = journal.index().list().len() * 4;
    assert!(lagged.len() <= all, "{} reads in {} segments", lagged.len(), all / 4);
}

#[test]
fn a_frame_of_another_place_is_refused_even_with_a_right_checksum() {
    let (storage, journal, places) = journal_of(9);
    let file = storage.memory.open(&segment_path(SEGMENT)).unwrap();
    let sound = storage.memory.files()[&segment_path(SEGMENT)].clone();
    let place = usize::try_from(places[4]).unwrap();
    let old = FrameHeader::decode(&sound[place..]).unwrap();
    let plan = |lsn, epoch, chain| {
        let mut bytes = Vec::new();
        FrameHeader::append_plan(&mut bytes, lsn, old.durable_lsn, epoch, chain, b"another!");
        bytes
    };
    let mut end = Vec::new();
    FrameHeader::append_end(&mut end, FrameKind::Seal, old.lsn, old.epoch, old.chain);
    for (what, bytes) in [
        ("another epoch", plan(old.lsn, old.epoch ^ 1, old.chain)),
        ("another frame before it", plan(old.lsn, old.epoch, old.chain ^ 1)),
        ("a later number", plan(old.lsn.next(), old.epoch, old.chain)),
        ("no plan", end),
    ] {
        file.write_all_at(&sound, 0).unwrap();
        file.write_all_at(&bytes, places[4]).unwrap();
        let mut reader = reader(&storage, &journal, 1);
        for lsn in 1..=4 {
            assert_eq!(reader.next_frame().unwrap().unwrap().lsn, Lsn(lsn));
        }
        let Err(FeedError::Damaged(problem)) = reader.next_frame().map(drop) else { panic!("{what}") };
        assert!(problem.contains("offset 256"), "{problem}");
    }
    // What would follow, by all its marks, but for the number before: there is a gap, which is no frame to be had.
    file.write_all_at(&sound, 0).unwrap();
    file.write_all_at(&plan(old.lsn, old.epoch, old.chain), places[4]).unwrap();
    assert_eq!(reader(&storage, &journal, 5).next_frame().unwrap().unwrap().body, b"another!");
}

#[test]
fn a_segment_that_is_another_stores_or_has_anothers_name_is_refused() {
    let (storage, journal, _) = journal_of(3);
    let file = storage.memory.open(&segment_path(SEGMENT)).unwrap();
    let sound = storage.memory.files()[&segment_path(SEGMENT)].clone();
    let header = SegmentHeader::decode(&sound).unwrap();
    let other_store = SegmentHeader { store_id: super::StoreId::from_bytes([8; 16]), ..header };
    let other_name = SegmentHeader { base_lsn: Lsn(2), ..header };
    for other in [other_store, other_name] {
        file.write_all_at(&other.encode(), 0).unwrap();
        let Err(FeedError::Damaged(problem)) = reader(&storage, &journal, 1).next_frame().map(drop) else { panic!() };
        assert!(problem.contains("offset 0: not this store's segment"), "{problem}");
    }
    file.write_all_at(&sound[..SEGMENT_HEADER_LEN], 0).unwrap();
    assert!(reader(&storage, &journal, 1).next_frame().unwrap().is_some());
}

#[test]
fn a_largest_plan_is_read_with_one_more_call_and_no_more_memory_than_it_takes() {
    let storage = Watched::new();
    let options = JournalOptions { segment_bytes: 8 << 20, batch_bytes_max: 2 << 20, ..OPTIONS };
    let mut journal = try_start(&storage, &SteppedClock::default(), options, ALL).unwrap().0;
    let bodies = [vec![1; 100], vec![2; FRAME_BODY_BYTES_MAX], vec![3; 100]];
    for body in &bodies {
        append(&mut journal, body);
    }
    let mut reader = reader(&storage, &journal, 1);
    storage.calls();
    for body in &bodies {
        assert!(reader.next_frame().unwrap().unwrap().body == body);
    }
    assert!(reader.next_frame().unwrap().is_none());
    let largest = (FRAME_HEADER_LEN + FRAME_BODY_BYTES_MAX) as u64;
    assert_eq!(reads(&storage).into_iter().max(), Some(largest));
}
