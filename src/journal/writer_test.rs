//! The writer at its limits, and what it makes of a disk that refuses.

use std::io;
use std::time::Duration;

use super::format::{FRAME_HEADER_LEN, SEGMENT_HEADER_LEN};
use super::testing::{ALL, OPTIONS, SteppedClock, Watched, append, start, try_start};
use super::{Journal, JournalOptions, segment_path};
use crate::contracts::{CommitError, Lsn, Room};

/// Room for the last plan of a batch, and for the seal.
const ONE_PLAN_AND_THE_SEAL: usize = 8 << 10;

const fn reserve() -> usize {
    OPTIONS.batch_bytes_max + ONE_PLAN_AND_THE_SEAL
}

/// A body whose frame has this many bytes.
fn body_of_frame(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes - FRAME_HEADER_LEN]
}

fn start_with(storage: &Watched, clock: &SteppedClock, options: JournalOptions) -> Journal {
    try_start(storage, clock, options, ALL).unwrap().0
}

fn segments(journal: &Journal) -> Vec<u64> {
    journal.index().list().into_iter().map(|(base_lsn, _)| base_lsn.0).collect()
}

#[test]
fn a_segment_takes_a_batch_only_if_it_has_room_for_the_largest() {
    let first = 4096;
    let exactly = (SEGMENT_HEADER_LEN + first + reserve()) as u64;
    for (segment_bytes, segments_then) in [(exactly - 1, vec![1, 2]), (exactly, vec![1])] {
        let storage = Watched::new();
        let mut journal = start_with(&storage, &SteppedClock::default(), JournalOptions { segment_bytes, ..OPTIONS });
        append(&mut journal, &body_of_frame(first));
        assert!(journal.make_room().unwrap() == Room::ForAll);
        assert_eq!(segments(&journal), segments_then);
        // The largest batch, its last plan, and the seal stay within what was reserved.
        journal.stage(&body_of_frame(OPTIONS.batch_bytes_max));
        journal.stage(&body_of_frame(ONE_PLAN_AND_THE_SEAL - FRAME_HEADER_LEN));
        assert_eq!(journal.staged_bytes(), reserve() - FRAME_HEADER_LEN);
        journal.commit().unwrap();
        journal.close().unwrap();
        assert!(journal.index().list().iter().all(|(_, info)| info.bytes <= segment_bytes));
    }
}

#[test]
fn a_batch_that_comes_in_parts_lies_behind_the_one_before() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    let written = journal.index().written_bytes();
    storage.calls();
    append(&mut journal, &body_of_frame(48));
    append(&mut journal, &body_of_frame(96));
    let path = segment_path(Lsn(1));
    assert_eq!(storage.calls_of("write"), [format!("write {path} 64+48"), format!("write {path} 112+96")]);
    assert_eq!(journal.index().written_bytes() - written, 48 + 96);
    storage.calls();
    journal.commit().unwrap();
    assert_eq!(storage.calls(), [""; 0], "there is nothing to write");
}

#[test]
fn the_journal_takes_what_it_may_and_no_more() {
    // The segment that the plan is in, and room for the smallest new one.
    let needed = (SEGMENT_HEADER_LEN + 48) as u64 + (SEGMENT_HEADER_LEN + reserve()) as u64;
    for (bytes_max, full) in [(needed, false), (needed - 1, true)] {
        let storage = Watched::new();
        append(&mut start(&storage), &body_of_frame(48));
        let journal = start_with(&storage, &SteppedClock::default(), JournalOptions { bytes_max, ..OPTIONS });
        assert_eq!(journal.index().is_full(), full);
        assert!(journal.index().totals().1 <= bytes_max + (FRAME_HEADER_LEN as u64), "but for the link");
    }
}

#[test]
fn a_full_journal_looks_for_room_as_often_as_it_is_told_to() {
    let (storage, clock) = (Watched::new(), SteppedClock::default());
    storage.set_room(0);
    let mut journal = start_with(&storage, &clock, OPTIONS);
    assert!(journal.index().is_full());
    let tries = |journal: &mut Journal| {
        storage.calls();
        let room = journal.make_room().unwrap() == Room::ForAll;
        (room, storage.calls_of("create").len())
    };
    assert_eq!(tries(&mut journal), (false, 0));
    clock.advance(OPTIONS.full_probe - Duration::from_nanos(1));
    assert_eq!(tries(&mut journal), (false, 0));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(tries(&mut journal), (false, 1), "now it is due");
    assert_eq!(tries(&mut journal), (false, 0), "and not again at once");
    storage.mend();
    clock.advance(OPTIONS.full_probe + Duration::from_secs(9));
    assert_eq!(tries(&mut journal), (true, 1));
    assert!(!journal.index().is_full());
    append(&mut journal, b"a plan");
    assert_eq!(journal.durable_lsn(), Lsn(1));
}

#[test]
fn a_batch_that_finds_no_room_is_taken_back_and_its_numbers_are_given_again() {
    for plans_before in [0, 1] {
        let (storage, clock) = (Watched::new(), SteppedClock::default());
        let mut journal = start_with(&storage, &clock, OPTIONS);
        for _ in 0..plans_before {
            append(&mut journal, &body_of_frame(48));
        }
        let end = SEGMENT_HEADER_LEN as u64 + plans_before * 48;
        let path = segment_path(Lsn(1));
        storage.fail("write", io::ErrorKind::StorageFull);
        assert!(journal.make_room().unwrap() == Room::ForAll);
        let refused = journal.stage(b"never happened");
        storage.calls();
        assert!(matches!(journal.commit(), Err(CommitError::Full(_))));
        assert_eq!(storage.calls()[1..], [format!("set_len {path} {end}"), format!("sync {path}")]);
        assert!(journal.index().is_full());
        assert_eq!(journal.index().list()[0].1.bytes, end);
        assert_eq!((journal.staged_bytes(), journal.durable_lsn()), (0, Lsn(plans_before)));
        storage.mend();
        clock.advance(OPTIONS.full_probe);
        storage.calls();
        assert!(journal.make_room().unwrap() == Room::ForAll);
        // The segment before says that another follows, if there are plans in it; an empty one is replaced.
        let links = storage.calls_of(&format!("write {path} {end}+40")).len();
        assert_eq!(links as u64, plans_before);
        assert_eq!(journal.stage(b"happened"), refused);
        journal.commit().unwrap();
        drop(journal);
        let (_, _, bodies) = try_start(&storage, &clock, OPTIONS, ALL).unwrap();
        assert_eq!((bodies.len() as u64, bodies.last().unwrap().as_slice()), (plans_before + 1, &b"happened"[..]));
    }
}

#[test]
fn a_journal_that_cannot_be_trusted_takes_and_writes_nothing_more() {
    for (call, kind, operation) in
        [("write", io::ErrorKind::Other, "write"), ("sync", io::ErrorKind::StorageFull, "sync")]
    {
        let storage = Watched::new();
        let mut journal = start(&storage);
        assert!(journal.make_room().unwrap() == Room::ForAll);
        journal.stage(b"perhaps");
        storage.fail(call, kind);
        let Err(CommitError::Failed { operation: failed, source }) = journal.commit() else { panic!() };
        assert_eq!((failed, source.kind()), (operation, kind));
        storage.mend();
        storage.calls();
        let Err(CommitError::Failed { operation: failed, .. }) = journal.commit() else { panic!() };
        assert_eq!(failed, "earlier write");
        journal.close().unwrap_err();
        assert_eq!((journal.durable_lsn(), storage.calls()), (Lsn::ZERO, vec![]));
    }
}

#[test]
fn a_cut_that_fails_leaves_no_journal_to_go_on_with() {
    for call in ["set_len", "sync"] {
        let storage = Watched::new();
        let mut journal = start(&storage);
        assert!(journal.make_room().unwrap() == Room::ForAll);
        journal.stage(b"perhaps");
        let path = segment_path(Lsn(1));
        storage.fail(&format!("write {path}"), io::ErrorKind::StorageFull);
        storage.fail(call, io::ErrorKind::Other);
        let Err(CommitError::Failed { operation, .. }) = journal.commit() else { panic!("{call}") };
        assert_eq!(operation, "cut after a failed write");
        storage.mend();
        storage.calls();
        journal.close().unwrap_err();
        assert_eq!(storage.calls(), [""; 0]);
    }
}

#[test]
fn a_journal_is_closed_behind_a_batch_and_not_within_one() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append(&mut journal, b"a plan");
    journal.stage(b"open");
    storage.calls();
    journal.close().unwrap_err();
    assert_eq!(storage.calls(), [""; 0]);
    journal.commit().unwrap();
    journal.close().unwrap();
    assert!(try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap().1.sealed);
}

#[test]
fn a_link_or_seal_that_finds_no_room_is_done_without() {
    // The segment before was cut to its last byte on a full disk; the new one found room elsewhere.
    let storage = Watched::new();
    append(&mut start(&storage), &body_of_frame(48));
    let old = segment_path(Lsn(1));
    storage.fail(&format!("write {old} 112+40"), io::ErrorKind::StorageFull);
    let mut journal = start(&storage);
    append(&mut journal, b"another plan");
    drop(journal);
    storage.mend();
    assert_eq!(try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap().1.last_lsn, Lsn(2));

    // Any other failure is one.
    let storage = Watched::new();
    append(&mut start(&storage), &body_of_frame(48));
    storage.fail(&format!("write {old} 112+40"), io::ErrorKind::Other);
    try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).map(drop).unwrap_err();

    let storage = Watched::new();
    let mut journal = start(&storage);
    append(&mut journal, &body_of_frame(48));
    storage.fail("write", io::ErrorKind::QuotaExceeded);
    journal.close().unwrap();
    storage.mend();
    let (_, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!((recovered.last_lsn, recovered.sealed), (Lsn(1), false));
}

#[test]
fn a_new_segment_takes_what_room_there_is_down_to_that_of_one_batch() {
    let least = (SEGMENT_HEADER_LEN + reserve()) as u64;
    for (room, taken) in
        [(1 << 20, Some(64 << 10)), ((64 << 10) - 1, Some(32 << 10)), ((32 << 10) - 1, Some(least)), (least - 1, None)]
    {
        let storage = Watched::new();
        storage.set_room(room);
        let journal = start(&storage);
        assert_eq!(journal.index().is_full(), taken.is_none(), "{room}");
        let capacity = taken.unwrap_or(SEGMENT_HEADER_LEN as u64);
        assert_eq!(journal.index().totals(), (1, capacity), "{room}");
        assert_eq!(storage.memory.files()[&segment_path(Lsn(1))].len() as u64, capacity);
        // What a failed attempt took goes back before less is asked for, and there is no more than one of each size.
        let tries = storage.calls_of("allocate");
        assert!(tries.len() <= 3, "{tries:?}");
        assert!(storage.memory.files().keys().all(|path| !path.ends_with(".tmp")));
    }
    // Only a lack of room is a reason to ask for less, and a state: anything else is a failure.
    let storage = Watched::new();
    storage.fail("allocate", io::ErrorKind::Other);
    let started = super::testing::try_start(&storage, &SteppedClock::default(), OPTIONS, super::testing::ALL);
    assert!(matches!(started, Err(super::RecoveryError::Journal(CommitError::Failed { .. }))));
    assert_eq!(storage.calls_of("allocate").len(), 1);
}

#[test]
fn every_kind_of_missing_room_is_a_state_and_everything_else_is_a_failure() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
        let storage = Watched::new();
        let mut journal = start(&storage);
        assert!(journal.make_room().unwrap() == Room::ForAll);
        journal.stage(b"a plan");
        storage.fail("write", kind);
        assert!(matches!(journal.commit(), Err(CommitError::Full(_))), "{kind:?}");
    }
}
