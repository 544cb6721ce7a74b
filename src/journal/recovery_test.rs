//! Recovery's decisions, each from both sides, and what it writes.

use super::format::{FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};
use super::testing::{ALL, OPTIONS, STORE_ID, SteppedClock, Watched, append, start, try_start};
use super::{
    JOURNAL_DIR, JournalOptions, RecoveryError, RedoRange, TornTail, inspect, oldest_lsn, segment_path, sync_up_to,
};
use crate::contracts::{Lsn, Storage};

fn restart(
    storage: &Watched,
    range: RedoRange,
) -> Result<(super::Journal, super::Recovered, Vec<Vec<u8>>), RecoveryError> {
    try_start(storage, &SteppedClock::default(), JournalOptions { epoch_seed: 2, ..OPTIONS }, range)
}

fn append_numbered(journal: &mut super::Journal, lsns: std::ops::RangeInclusive<u64>) {
    for lsn in lsns {
        append(journal, format!("plan {lsn:03}").as_bytes());
    }
}

/// Where the `count`th frame behind the header ends, all of them being as long as these.
const fn end_of(count: u64) -> u64 {
    SEGMENT_HEADER_LEN as u64 + count * 48
}

fn segment_bytes(storage: &Watched, base_lsn: u64) -> Vec<u8> {
    storage.memory.files()[&segment_path(Lsn(base_lsn))].clone()
}

fn overwrite(storage: &Watched, base_lsn: u64, offset: u64, bytes: &[u8]) {
    storage.memory.open(&segment_path(Lsn(base_lsn))).unwrap().write_all_at(bytes, offset).unwrap();
}

/// The file, the place and the problem of a refusal.
fn refused(storage: &Watched, range: RedoRange) -> (String, u64, String) {
    match restart(storage, range) {
        Err(RecoveryError::Damaged { path, offset, problem }) => (path, offset, problem),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it starts"),
    }
}

#[test]
fn what_nothing_proves_of_the_last_batch_is_written_back_and_synced() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append_numbered(&mut journal, 1..=3);
    // The third says that the second was durable; nothing says so of the third.
    drop(journal);
    storage.calls();
    restart(&storage, ALL).unwrap();
    let path = segment_path(Lsn(1));
    let of_segment: Vec<_> = storage.calls().into_iter().filter(|call| call.contains(&path)).collect();
    let written = of_segment.iter().position(|call| call.starts_with("write ")).unwrap();
    let end = end_of(3);
    assert_eq!(
        of_segment[written..written + 3],
        [format!("write {path} {}+48", end_of(2)), format!("set_len {path} {end}"), format!("sync {path}")]
    );
    // Also where the file ends with it: a killed daemon's room may have been given back already.
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    storage.memory.open(&path).unwrap().set_len(end).unwrap();
    let before = segment_bytes(&storage, 1);
    storage.calls();
    restart(&storage, ALL).unwrap();
    assert_eq!(storage.calls_of("write ")[0], format!("write {path} {}+48", end_of(2)));
    assert_eq!(segment_bytes(&storage, 1)[..before.len()], before);
}

#[test]
fn the_end_of_a_stopped_daemons_journal_is_left_as_it_is() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append_numbered(&mut journal, 1..=3);
    journal.close().unwrap();
    drop(journal);
    let path = segment_path(Lsn(1));
    storage.calls();
    let (_, recovered, _) = restart(&storage, ALL).unwrap();
    assert!(recovered.sealed && recovered.torn_tail.is_none());
    let calls = storage.calls();
    let changes = calls.iter().filter(|call| call.contains(&path) && !call.contains("open") && !call.contains("read "));
    // The link alone, in the seal's place; the first sync is that of reading.
    let end = end_of(3);
    let [sync, link, cut] =
        [format!("sync {path}"), format!("write {path} {end}+40"), format!("set_len {path} {}", end + 40)];
    assert_eq!(changes.collect::<Vec<_>>(), [&sync, &link, &cut, &sync]);
}

#[test]
fn a_torn_tail_is_reported_to_the_byte() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    overwrite(&storage, 1, end_of(2) + 45, b"?");
    let (_, recovered, bodies) = restart(&storage, ALL).unwrap();
    let bytes = OPTIONS.segment_bytes - end_of(2);
    assert_eq!(recovered.torn_tail, Some(TornTail { path: segment_path(Lsn(1)), offset: end_of(2), bytes }));
    assert_eq!((recovered.last_lsn, recovered.frames, bodies.len()), (Lsn(2), 2, 2));
    // What was cut is gone from the disk, too.
    assert_eq!(segment_bytes(&storage, 1).len() as u64, end_of(2) + 40, "and a link is in its place");
}

#[test]
fn a_start_that_finds_no_room_gives_back_what_the_last_daemon_did_not_use() {
    // Killed before its first plan, and between the seal and the cut.
    for sealed in [false, true] {
        let storage = Watched::new();
        let mut journal = start(&storage);
        if sealed {
            append_numbered(&mut journal, 1..=3);
            journal.close().unwrap();
            storage.memory.open(&segment_path(Lsn(1))).unwrap().set_len(OPTIONS.segment_bytes).unwrap();
        }
        drop(journal);
        assert_eq!(segment_bytes(&storage, 1).len() as u64, OPTIONS.segment_bytes);
        storage.set_room(0);
        let (journal, recovered, _) = restart(&storage, ALL).unwrap();
        assert!(journal.index().is_full() && recovered.sealed == sealed && recovered.torn_tail.is_none());
        let len = if sealed { end_of(3) + 40 } else { SEGMENT_HEADER_LEN as u64 };
        assert_eq!(segment_bytes(&storage, 1).len() as u64, len);
        assert_eq!(journal.index().totals(), (1, len));
    }
}

#[test]
fn bytes_behind_a_seal_are_damage() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append_numbered(&mut journal, 1..=3);
    journal.close().unwrap();
    let behind = end_of(3) + 40;
    assert_eq!(segment_bytes(&storage, 1).len() as u64, behind);
    overwrite(&storage, 1, behind, &[0; 64]);
    let clean = storage.memory.files();
    overwrite(&storage, 1, behind, b"x");
    let problem = "there are bytes behind the seal".to_owned();
    assert_eq!(refused(&storage, ALL), (segment_path(Lsn(1)), behind, problem));
    assert!(restart(&Watched::of(&clean), ALL).unwrap().1.sealed, "zeros are none");
}

#[test]
fn what_a_cursor_or_checkpoint_has_seen_must_be_there() {
    for (must_reach, starts) in [(2, true), (3, true), (4, false)] {
        let storage = Watched::new();
        append_numbered(&mut start(&storage), 1..=3);
        let before = storage.memory.files();
        let range = RedoRange { after: Lsn::ZERO, must_reach: Lsn(must_reach), points: Vec::new() };
        if starts {
            assert_eq!(restart(&storage, range).unwrap().1.last_lsn, Lsn(3));
        } else {
            let (path, offset, problem) = refused(&storage, range);
            assert_eq!((path, offset), (segment_path(Lsn(1)), end_of(3)));
            assert!(problem.contains("LSN 4 is unreadable or missing, but a cursor or checkpoint has LSN 4"));
            assert_eq!(storage.memory.files(), before, "nothing is changed");
        }
    }
}

#[test]
fn a_segment_must_go_on_where_the_one_before_ended() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    append_numbered(&mut restart(&storage, ALL).unwrap().0, 4..=5);
    let sound = SegmentHeader::decode(&segment_bytes(&storage, 4)).unwrap();
    let files = storage.memory.files();
    let (journal, recovered, bodies) = restart(&Watched::of(&files), ALL).unwrap();
    assert_eq!((recovered.last_lsn, bodies.len(), journal.index().totals().0), (Lsn(5), 5, 3));
    overwrite(&storage, 4, 0, &SegmentHeader { chain: sound.chain ^ 1, ..sound }.encode());
    // Also if the state has all of the one before: it is read for that.
    for from in [0, 2, 3] {
        let (path, offset, problem) =
            refused(&storage, RedoRange { after: Lsn(from), must_reach: Lsn(from), points: Vec::new() });
        assert_eq!((path, offset), (segment_path(Lsn(4)), 0));
        assert_eq!(problem, "the segment does not continue the one before it");
    }
}

#[test]
fn damage_before_a_later_segment_is_named_where_it_is() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    append_numbered(&mut restart(&storage, ALL).unwrap().0, 4..=5);
    overwrite(&storage, 1, end_of(2) + 45, b"?");
    let problem = "LSN 3 is unreadable or missing, and the next segment begins with 4".to_owned();
    assert_eq!(refused(&storage, ALL), (segment_path(Lsn(1)), end_of(2), problem));
}

#[test]
fn a_segment_of_another_store_or_under_another_name_is_refused() {
    for (other, problem) in [
        (|header| SegmentHeader { store_id: super::StoreId::from_bytes([8; 16]), ..header }, "it belongs to store"),
        (|header| SegmentHeader { base_lsn: Lsn(2), ..header }, "it begins with LSN 2, not with its name's"),
    ] as [(fn(SegmentHeader) -> SegmentHeader, &str); 2]
    {
        let storage = Watched::new();
        append_numbered(&mut start(&storage), 1..=3);
        let header = SegmentHeader::decode(&segment_bytes(&storage, 1)).unwrap();
        overwrite(&storage, 1, 0, &other(header).encode());
        let (path, offset, found) = refused(&storage, ALL);
        assert_eq!((path, offset), (segment_path(Lsn(1)), 0));
        assert!(found.starts_with(problem), "{found}");
    }
}

#[test]
fn a_checkpoint_of_everything_is_enough_with_an_empty_segment() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    drop(restart(&storage, ALL).unwrap());
    storage.memory.remove(&segment_path(Lsn(1))).unwrap();
    let range = RedoRange { after: Lsn(3), must_reach: Lsn(3), points: Vec::new() };
    let (mut journal, recovered, bodies) = restart(&storage, range).unwrap();
    assert_eq!((recovered.last_lsn, recovered.frames, bodies.len()), (Lsn(3), 0, 0));
    append(&mut journal, b"the fourth");
    assert_eq!(journal.durable_lsn(), Lsn(4));
    // And without one it is not: the third plan is in no segment, and its number must not be given again.
    let (path, _, problem) = refused(&storage, RedoRange { after: Lsn(2), must_reach: Lsn(2), points: Vec::new() });
    assert_eq!(
        (path.as_str(), problem.as_str()),
        (JOURNAL_DIR, "the segment with LSN 3 is missing; the oldest is one from LSN 4")
    );
}

#[test]
fn the_segment_of_the_last_plan_that_the_state_has_is_read_for_what_follows_it() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    append_numbered(&mut restart(&storage, ALL).unwrap().0, 4..=5);
    storage.memory.remove(&segment_path(Lsn(4))).unwrap();
    // The state has all of the first segment, which says that another follows.
    let (path, offset, problem) =
        refused(&storage, RedoRange { after: Lsn(3), must_reach: Lsn(3), points: Vec::new() });
    assert_eq!((path, offset), (segment_path(Lsn(1)), end_of(3)));
    assert_eq!(problem, "the segment with LSN 4 is missing");
}

#[test]
fn who_only_looks_ends_before_a_segment_that_has_just_begun() {
    // A read_only has listed the folder, and then the daemon has begun another segment: the link leads to one that the
    // read_only does not know. For the daemon itself it must be there.
    let storage = Watched::new();
    let mut journal = start(&storage);
    append_numbered(&mut journal, 1..=3);
    let header = SegmentHeader::decode(&segment_bytes(&storage, 1)).unwrap();
    let chain =
        FrameHeader::decode(&segment_bytes(&storage, 1)[usize::try_from(end_of(2)).unwrap()..]).unwrap().header_crc;
    let mut link = Vec::new();
    FrameHeader::append_end(&mut link, FrameKind::Link, Lsn(3), header.epoch, chain);
    overwrite(&storage, 1, end_of(3), &link);
    let redo: &mut super::Redo<'_> = &mut |_| Ok(());
    let missing = inspect(&storage, STORE_ID, &ALL, redo).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("the segment with LSN 4 is missing"), "{missing}");
}

#[test]
fn what_a_guest_has_read_is_made_durable_in_the_one_segment_that_can_hold_what_is_not() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    append_numbered(&mut restart(&storage, ALL).unwrap().0, 4..=5);
    for (last, holding) in [(0, None), (1, Some(1)), (3, Some(1)), (4, Some(4)), (5, Some(4))] {
        storage.calls();
        sync_up_to(&storage, Lsn(last)).unwrap();
        let expected: Vec<_> = holding.map(|base| format!("sync {}", segment_path(Lsn(base)))).into_iter().collect();
        assert_eq!(storage.calls_of("sync "), expected, "{last}");
    }
    storage.fail("sync", std::io::ErrorKind::Other);
    let error = sync_up_to(&storage, Lsn(5)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("syncing {}: ", segment_path(Lsn(4)))), "{error}");
}

#[test]
fn the_oldest_plan_is_that_of_the_oldest_segment() {
    let storage = Watched::new();
    append_numbered(&mut start(&storage), 1..=3);
    drop(restart(&storage, ALL).unwrap());
    assert_eq!(oldest_lsn(&storage).unwrap(), Lsn(1));
    storage.memory.remove(&segment_path(Lsn(1))).unwrap();
    assert_eq!(oldest_lsn(&storage).unwrap(), Lsn(4));
    storage.memory.remove(&segment_path(Lsn(4))).unwrap();
    assert_eq!(oldest_lsn(&storage).unwrap(), Lsn(1));
}

#[test]
fn a_failure_says_what_was_tried_and_on_what() {
    let segment = segment_path(Lsn(1));
    for (call, operation, path) in [
        (format!("list {JOURNAL_DIR}"), "listing", JOURNAL_DIR),
        (format!("open_read_only {segment}"), "opening", segment.as_str()),
        (format!("open {segment}"), "opening", &segment),
        (format!("sync {segment}"), "syncing", &segment),
        (format!("read {segment}"), "reading", &segment),
        (format!("write {segment} {}", end_of(2)), "writing back the last batch of", &segment),
        (format!("set_len {segment}"), "cutting", &segment),
        ("sync_dir store/checkpoints".to_owned(), "syncing directory", "store/checkpoints"),
        (format!("remove {JOURNAL_DIR}/x.tmp"), "removing", "store/journal/x.tmp"),
    ] {
        let storage = Watched::new();
        append_numbered(&mut start(&storage), 1..=3);
        storage.memory.create(&format!("{JOURNAL_DIR}/x.tmp")).unwrap();
        storage.fail(&call, std::io::ErrorKind::Other);
        let Err(RecoveryError::Io { operation: tried, path: on, .. }) = restart(&storage, ALL) else {
            panic!("{call}")
        };
        assert_eq!((tried, on.as_str()), (operation, path));
        storage.mend();
        let (_, recovered, _) = restart(&storage, ALL).unwrap();
        assert_eq!(recovered.last_lsn, Lsn(3), "a failure is no end: {call}");
    }
}

#[test]
fn an_idle_mark_proves_the_last_batch() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append(&mut journal, b"first");
    append(&mut journal, b"second");
    storage.calls();
    journal.mark_idle().unwrap();
    journal.mark_idle().unwrap();
    assert_eq!(storage.calls_of("write").len(), 1, "once is enough");
    let files = storage.memory.files();
    // A plan after the mark, and reading over it.
    append(&mut journal, b"third");
    let (_, recovered, bodies) =
        try_start(&Watched::of(&storage.memory.files()), &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!((recovered.last_lsn, bodies.len()), (Lsn(3), 3));
    assert_eq!(bodies[2], b"third");
    // Without the mark damage to the second looks like a torn tail; with it, it is damage.
    let path = segment_path(Lsn(1));
    let second = SEGMENT_HEADER_LEN + 48;
    for (marked, refused) in [(true, true), (false, false)] {
        let mut files = files.clone();
        let bytes = files.get_mut(&path).unwrap();
        bytes[second + FRAME_HEADER_LEN] ^= 1;
        if !marked {
            bytes[second + 48..second + 48 + FRAME_HEADER_LEN].fill(0);
        }
        let started = try_start(&Watched::of(&files), &SteppedClock::default(), OPTIONS, ALL);
        assert_eq!(started.is_err(), refused);
    }
}

#[test]
fn an_intact_frame_of_an_unknown_kind_is_a_newer_versions_and_never_cut() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    append(&mut journal, b"first");
    append(&mut journal, b"second");
    let mut files = storage.memory.files();
    let bytes = files.get_mut(&segment_path(Lsn(1))).unwrap();
    let second = SEGMENT_HEADER_LEN + 48;
    bytes[second..second + 4].copy_from_slice(b"oNEW");
    let unmended = try_start(&Watched::of(&files), &SteppedClock::default(), OPTIONS, ALL);
    assert!(unmended.is_ok(), "without its checksum it is a torn tail");
    let bytes = files.get_mut(&segment_path(Lsn(1))).unwrap();
    let crc = crc32c::crc32c(&bytes[second..second + 36]);
    bytes[second + 36..second + 40].copy_from_slice(&crc.to_le_bytes());
    let storage = Watched::of(&files);
    match try_start(&storage, &SteppedClock::default(), OPTIONS, ALL) {
        Err(RecoveryError::Version { problem, .. }) => assert!(problem.contains("\"oNEW\""), "{problem}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it starts"),
    }
    assert_eq!(storage.memory.files(), files, "nothing was changed");
}
