//! The segment that is made ahead: what the change to it costs, and what a start makes of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::format::{FRAME_HEADER_LEN, SEGMENT_HEADER_LEN};
use super::testing::{ALL, OPTIONS, STORE_ID, SteppedClock, Watched, append, start, try_start};
use super::{
    Journal, JournalHandle, PREPARED_PATH, RecoveryError, Redo, SegmentPreparer, StoreId, inspect, inspect_files,
    segment_path,
};
use crate::contracts::{Lsn, Room, Storage};

type Files = BTreeMap<String, Vec<u8>>;

fn preparer(storage: &Watched, journal: &Journal, bytes_max: u64) -> SegmentPreparer {
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let index = Arc::clone(journal.index());
    SegmentPreparer::new(JournalHandle { storage, index, store_id: STORE_ID }, bytes_max)
}

/// Plans until another segment is wanted soon.
fn fill_half(journal: &mut Journal) {
    for _ in 0..25 {
        append(journal, &[7; 1000]);
    }
}

fn segments(journal: &Journal) -> Vec<u64> {
    journal.index().list().into_iter().map(|(base_lsn, _)| base_lsn.0).collect()
}

/// Plans until there is another segment; gives the calls that the change took.
fn rotate(storage: &Watched, journal: &mut Journal) -> Vec<String> {
    let before = segments(journal).len();
    while segments(journal).len() == before {
        append(journal, &[7; 1000]);
        storage.calls();
        assert_eq!(journal.make_room().unwrap(), Room::ForAll);
    }
    storage.calls()
}

/// A journal in its second segment, which was made ahead and holds one plan; and its files.
fn changed() -> (Files, Lsn) {
    let storage = Watched::new();
    let mut journal = start(&storage);
    fill_half(&mut journal);
    preparer(&storage, &journal, u64::MAX).turn();
    rotate(&storage, &mut journal);
    append(&mut journal, b"last");
    (storage.memory.files(), Lsn(segments(&journal)[1]))
}

/// The same after a power cut that took the second segment's name back.
fn unnamed() -> (Files, Lsn) {
    let (mut files, base_lsn) = changed();
    let segment = files.remove(&segment_path(base_lsn)).unwrap();
    files.insert(PREPARED_PATH.to_owned(), segment);
    (files, base_lsn)
}

/// Zeros from `offset` on, as where nothing was written.
fn cut(files: &mut Files, path: &str, offset: usize) {
    files.get_mut(path).unwrap().iter_mut().skip(offset).for_each(|byte| *byte = 0);
}

/// Where the link of the first segment begins.
fn link_offset(files: &Files) -> usize {
    files[&segment_path(Lsn(1))].len() - FRAME_HEADER_LEN
}

/// How a start refuses it, leaving every byte as it was.
fn refusal(files: &Files) -> RecoveryError {
    let storage = Watched::of(files);
    let refused = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).map(drop).unwrap_err();
    assert!(storage.memory.files() == *files, "a refused start changes nothing");
    refused
}

#[test]
fn a_change_to_a_segment_that_was_made_ahead_allocates_nothing_and_syncs_no_directory() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    let preparer = preparer(&storage, &journal, u64::MAX);
    storage.calls();
    preparer.turn();
    assert_eq!(storage.calls(), [""; 0], "nothing is made before it is needed soon");
    fill_half(&mut journal);
    storage.calls();
    preparer.turn();
    let next = PREPARED_PATH;
    let dir = "sync_dir store/journal".to_owned();
    let made = [format!("create {next}"), format!("allocate {next} 65536"), format!("sync {next}")];
    assert_eq!(storage.calls(), [&[dir.clone()][..], &made, &[dir]].concat());
    preparer.turn();
    assert_eq!(storage.calls(), [""; 0], "one is enough");
    let calls = rotate(&storage, &mut journal);
    let [first, second] = [1, segments(&journal)[1]].map(|base_lsn| segment_path(Lsn(base_lsn)));
    let (calls, link): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| !call.contains(&first));
    assert_eq!(calls, [format!("write {next} 0+64"), format!("sync {next}"), format!("rename {second}")]);
    assert_eq!(
        link.iter().map(|call| call.split(' ').next().unwrap()).collect::<Vec<_>>(),
        ["write", "set_len", "sync"]
    );
    append(&mut journal, b"after");
    assert!(!storage.memory.files().contains_key(next));
}

#[test]
fn a_segments_name_is_durable_before_the_next_one_gets_a_name() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    fill_half(&mut journal);
    preparer(&storage, &journal, u64::MAX).turn();
    rotate(&storage, &mut journal);
    let calls = rotate(&storage, &mut journal);
    assert_eq!(calls[0], "sync_dir store/journal", "{calls:?}");
    let calls = rotate(&storage, &mut journal);
    assert!(calls[0].starts_with("create"), "{calls:?}");
}

#[test]
fn a_segment_that_was_begun_under_the_prepared_name_is_read_and_named() {
    let (files, base_lsn) = unnamed();
    let storage = Watched::of(&files);
    let (journal, recovered, bodies) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!((recovered.last_lsn, bodies.last().unwrap().as_slice()), (base_lsn, &b"last"[..]));
    assert_eq!(segments(&journal), [1, base_lsn.0, base_lsn.0 + 1]);
    let after = storage.memory.files();
    assert!(after.contains_key(&segment_path(base_lsn)) && !after.contains_key(PREPARED_PATH));
}

#[test]
fn whoever_only_looks_reads_it_under_the_prepared_name() {
    let (files, base_lsn) = unnamed();
    let storage: Arc<dyn Storage> = Arc::new(Watched::of(&files));
    let mut last = Vec::new();
    let redo: &mut Redo<'_> = &mut |frames| {
        last = frames.last().map_or_else(Vec::new, |frame| frame.body.to_vec());
        Ok(())
    };
    assert_eq!(inspect(storage.as_ref(), STORE_ID, &ALL, redo).unwrap().last_lsn, base_lsn);
    assert_eq!(last, b"last");
    let files = inspect_files(&storage, STORE_ID, base_lsn).unwrap();
    let mut reader = super::JournalReader::new(files, base_lsn);
    assert_eq!(reader.next_frame().unwrap().unwrap().body, b"last");
}

#[test]
fn one_that_was_never_used_is_removed_whatever_is_in_it() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    fill_half(&mut journal);
    preparer(&storage, &journal, u64::MAX).turn();
    let files = storage.memory.files();
    // Nothing, a header that was cut short, and one that was torn.
    for damage in [&[][..], &[0x11; 3], &[0xff; 64]] {
        let storage = Watched::of(&files);
        storage.memory.open(PREPARED_PATH).unwrap().write_all_at(damage, 0).unwrap();
        let (_, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
        assert_eq!((recovered.last_lsn, recovered.torn_tail), (Lsn(25), None));
        assert!(!storage.memory.files().contains_key(PREPARED_PATH));
    }
}

#[test]
fn one_that_was_used_is_missed_and_its_damage_told() {
    let (files, base_lsn) = unnamed();
    let is_damage = |files: &Files, expected: &str| {
        let refused = refusal(files);
        let told = refused.to_string();
        assert!(matches!(refused, RecoveryError::Damaged { .. }) && told.contains(expected), "{told}");
    };
    let mut missing = files.clone();
    missing.remove(PREPARED_PATH);
    is_damage(&missing, &format!("the segment with LSN {base_lsn} is missing"));
    let mut headless = files.clone();
    headless.get_mut(PREPARED_PATH).unwrap()[20] ^= 1;
    is_damage(&headless, &format!("the segment with LSN {base_lsn} is missing"));
    let other = Watched::of(&files);
    let range = super::RedoRange::default();
    let refused = inspect(&other, StoreId::from_bytes([8; 16]), &range, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains(PREPARED_PATH) && refused.contains("belongs to store"), "{refused}");
}

#[test]
fn one_that_a_link_leads_to_is_kept_although_it_holds_no_plan() {
    let (mut files, base_lsn) = unnamed();
    cut(&mut files, PREPARED_PATH, SEGMENT_HEADER_LEN);
    let storage = Watched::of(&files);
    let (journal, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!(recovered.last_lsn.next(), base_lsn);
    assert_eq!(segments(&journal), [1, base_lsn.0]);
    assert!(!storage.memory.files().contains_key(PREPARED_PATH));
}

#[test]
fn one_that_holds_plans_is_read_although_the_link_to_it_is_damaged() {
    let (mut files, base_lsn) = unnamed();
    let link = link_offset(&files);
    files.get_mut(&segment_path(Lsn(1))).unwrap()[link + 8] ^= 1;
    let storage = Watched::of(&files);
    let (_, recovered, bodies) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!((recovered.last_lsn, bodies.last().unwrap().as_slice()), (base_lsn, &b"last"[..]));
    // The last plan before it is missing, too.
    files.get_mut(&segment_path(Lsn(1))).unwrap()[link - 8] ^= 1;
    let told = refusal(&files).to_string();
    assert!(told.contains(&format!("the next segment begins with {base_lsn}")), "{told}");
}

#[test]
fn a_header_that_may_not_be_on_the_medium_is_not_believed() {
    let (mut files, base_lsn) = unnamed();
    cut(&mut files, PREPARED_PATH, SEGMENT_HEADER_LEN);
    let link = link_offset(&files);
    cut(&mut files, &segment_path(Lsn(1)), link);
    let storage = Watched::of(&files);
    let (journal, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
    assert_eq!((recovered.last_lsn.next(), recovered.torn_tail), (base_lsn, None));
    let calls = storage.calls();
    assert!(calls.contains(&format!("remove {PREPARED_PATH}")), "{calls:?}");
    assert_eq!(segments(&journal), [1, base_lsn.0]);
}

#[test]
fn a_header_that_was_in_the_room_before_is_not_one_of_a_segment_that_is_used() {
    let (mut files, base_lsn) = changed();
    for stale in [segment_path(Lsn(1)), segment_path(base_lsn)] {
        let segment = files[&stale].clone();
        files.insert(PREPARED_PATH.to_owned(), segment);
        let storage = Watched::of(&files);
        let (_, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
        assert_eq!(recovered.last_lsn, base_lsn);
        assert!(!storage.memory.files().contains_key(PREPARED_PATH));
    }
}

#[test]
fn nothing_is_made_ahead_without_room_or_after_a_failed_sync_of_the_directory() {
    let storage = Watched::new();
    let mut journal = start(&storage);
    fill_half(&mut journal);
    let is_made = || storage.memory.files().contains_key(PREPARED_PATH);
    // The budget has room for one segment and not for another.
    preparer(&storage, &journal, 2 * 65536 - 1).turn();
    assert!(!is_made());
    storage.set_room(65535);
    preparer(&storage, &journal, u64::MAX).turn();
    assert!(!is_made(), "what could not be reserved does not stay");
    storage.mend();
    append(&mut journal, b"once more");
    preparer(&storage, &journal, 2 * 65536).turn();
    assert!(is_made());
    assert_eq!(journal.index().totals(), (1, 2 * 65536), "it counts in what the journal takes");
    journal.close().unwrap();
    assert!(!is_made(), "a stopped daemon leaves none");

    let storage = Watched::new();
    let mut journal = start(&storage);
    fill_half(&mut journal);
    storage.fail("sync_dir store/journal", io::ErrorKind::Other);
    preparer(&storage, &journal, u64::MAX).turn();
    storage.mend();
    append(&mut journal, b"once more");
    storage.calls();
    preparer(&storage, &journal, u64::MAX).turn();
    assert_eq!(storage.calls(), [""; 0], "a later success would say nothing of what was lost");
    let calls = rotate(&storage, &mut journal);
    assert!(calls.contains(&"sync_dir store/journal".to_owned()), "the writer makes its own: {calls:?}");
}

#[test]
fn a_change_whose_syncs_fail_ends_the_journal() {
    for call in ["write", "sync", "rename"] {
        let storage = Watched::new();
        let mut journal = start(&storage);
        fill_half(&mut journal);
        preparer(&storage, &journal, u64::MAX).turn();
        let failing = if call == "rename" {
            format!("rename {}", segment_path(Lsn(1)).replace("01.wal", ""))
        } else {
            format!("{call} {PREPARED_PATH}")
        };
        storage.fail(&failing, io::ErrorKind::Other);
        let ended = loop {
            match journal.make_room() {
                Ok(room) => assert_eq!(room, Room::ForAll),
                Err(error) => break error,
            }
            journal.stage(&[7; 1000]);
            journal.commit().unwrap();
        };
        assert!(matches!(ended, crate::contracts::CommitError::Failed { .. }), "{call}: {ended}");
        let durable = journal.durable_lsn();
        drop(journal);
        storage.mend();
        let (_, recovered, _) = try_start(&storage, &SteppedClock::default(), OPTIONS, ALL).unwrap();
        assert_eq!(recovered.last_lsn, durable, "{call}");
    }
}
