use super::*;
use crate::contracts::WindowBits;
use crate::relay::testing::{STORE_ID, position};
use crate::testkit::Watched;

const PATH: &str = "store/cursors/events.cursor";

fn created(storage: &Watched) -> CursorFile {
    CursorFile::create(storage, "events", STORE_ID, position(4)).unwrap()
}

fn created_bytes() -> Vec<u8> {
    let storage = Watched::empty();
    created(&storage);
    storage.memory.contents(PATH).unwrap()
}

fn loaded(storage: &Watched) -> Result<Option<FeedPosition>, CursorError> {
    let loaded = CursorFile::load(storage, "events", STORE_ID);
    loaded.map(|cursor| cursor.map(|cursor| cursor.position()))
}

#[test]
fn a_sink_without_a_cursor_is_new_and_nothing_else_is() {
    let storage = Watched::empty();
    assert_eq!(loaded(&storage).unwrap(), None);
    let longer = [created_bytes(), vec![0]].concat();
    for contents in [vec![], vec![0; FILE_BYTES], vec![0xff; 3], longer] {
        storage.memory.put(PATH, &contents);
        assert!(matches!(loaded(&storage), Err(CursorError::Damaged { .. })));
        assert_eq!(storage.memory.contents(PATH).unwrap(), contents);
    }
    storage.fail_after(0, io::ErrorKind::PermissionDenied);
    assert!(matches!(loaded(&storage), Err(CursorError::Io { operation: "open", .. })));
    // Who only looks makes the same difference.
    let inspected = |storage| CursorFile::inspect(storage, "events", STORE_ID);
    storage.fail_after(0, io::ErrorKind::PermissionDenied);
    assert!(matches!(inspected(&storage), Err(CursorError::Io { operation: "open", .. })));
    assert_eq!(inspected(&Watched::empty()).unwrap(), None);
}

#[test]
fn a_new_cursor_is_written_synced_renamed_and_its_folder_synced() {
    let storage = Watched::empty();
    created(&storage);
    let [write, sync, rename] = ["write", "sync", "rename"].map(|verb| format!("{verb} {PATH}"));
    let create = format!("create {PATH}.tmp");
    assert_eq!(storage.verbs(), [create, write, sync, rename, format!("sync_dir {FOLDER}")]);
    assert_eq!(loaded(&storage).unwrap(), Some(position(4)));
}

#[test]
fn a_cursor_that_could_not_be_made_is_not_there_or_whole() {
    for calls in 0..5 {
        let storage = Watched::empty();
        storage.fail_after(calls, io::ErrorKind::StorageFull);
        let made = CursorFile::create(&storage, "events", STORE_ID, position(4));
        assert!(matches!(made, Err(CursorError::Io { .. })), "call {calls}");
        assert!([None, Some(position(4))].contains(&loaded(&storage).unwrap()), "call {calls}");
        created(&storage);
        assert_eq!(loaded(&storage).unwrap(), Some(position(4)), "call {calls}");
    }
}

#[test]
fn what_was_saved_last_is_loaded_and_what_was_left_unsynced_is_synced_first() {
    let storage = Watched::empty();
    let mut cursor = created(&storage);
    for sequence in 5..30 {
        cursor.save(position(sequence), ProgressDetails::default()).unwrap();
        assert_eq!(loaded(&storage).unwrap(), Some(position(sequence)));
        assert_eq!(CursorFile::inspect(&storage, "events", STORE_ID).unwrap(), Some(position(sequence)));
    }
    storage.calls();
    loaded(&storage).unwrap();
    // Written back and synced again: what reads well may be in a dead process's cache alone.
    let wanted = ["open", "sync", "read", "write", "sync"].map(|verb| format!("{verb} {PATH}"));
    assert_eq!(storage.verbs(), wanted);
    CursorFile::inspect(&storage, "events", STORE_ID).unwrap();
    assert_eq!(storage.verbs(), ["open_read_only", "read"].map(|verb| format!("{verb} {PATH}")));
}

#[test]
fn a_save_overwrites_the_older_slot_and_leaves_the_newer_alone() {
    let storage = Watched::empty();
    created(&storage);
    let mut cursor = CursorFile::load(&storage, "events", STORE_ID).unwrap().unwrap();
    for sequence in 5..12 {
        let before = storage.memory.contents(PATH).unwrap();
        storage.calls();
        cursor.save(position(sequence), ProgressDetails::default()).unwrap();
        let after = storage.memory.contents(PATH).unwrap();
        assert_eq!(storage.verbs(), ["write", "sync"].map(|verb| format!("{verb} {PATH}")));
        assert_eq!(after.len(), before.len(), "a save needs no room");
        let kept = cursor_format::decode(&before, Owner::new(STORE_ID, "events")).unwrap().newest;
        let kept_at = usize::try_from(kept.offset()).unwrap();
        assert_eq!(after[kept_at..kept_at + SLOT_BYTES], before[kept_at..kept_at + SLOT_BYTES]);
        assert_eq!(cursor_format::decode(&after, Owner::new(STORE_ID, "events")).unwrap().older, Some(kept));
    }
}

#[test]
fn retention_keeps_what_the_older_slot_needs() {
    let storage = Watched::empty();
    let mut cursor = created(&storage);
    let saved = cursor.saved();
    assert_eq!(saved.lsn(), lsn_of(&position(4)));
    cursor.save(position(20), ProgressDetails::default()).unwrap();
    assert_eq!(saved.lsn(), lsn_of(&position(4)));
    cursor.save(position(30), ProgressDetails::default()).unwrap();
    assert_eq!(saved.lsn(), lsn_of(&position(20)));
    let reloaded = CursorFile::load(&storage, "events", STORE_ID).unwrap().unwrap();
    assert_eq!(reloaded.saved().lsn(), lsn_of(&position(20)));
    // Whichever slot is lost, the position that is left has not been let go.
    for byte in [40, SLOT_BYTES + 40] {
        let mut damaged = storage.memory.contents(PATH).unwrap();
        damaged[byte] ^= 1;
        let other = Watched::empty();
        other.memory.put(PATH, &damaged);
        let left = CursorFile::load(&other, "events", STORE_ID).unwrap().unwrap();
        assert!(lsn_of(&left.position()) >= saved.lsn() && left.saved().lsn() >= saved.lsn());
    }
}

#[test]
fn a_failed_write_can_be_repeated_and_a_failed_sync_is_told_apart() {
    let storage = Watched::empty();
    let mut cursor = created(&storage);
    cursor.save(position(5), ProgressDetails::default()).unwrap();
    storage.fail_after(0, io::ErrorKind::StorageFull);
    assert!(matches!(cursor.save(position(6), ProgressDetails::default()), Err(ProgressError::TryAgain(_))));
    assert_eq!(loaded(&storage).unwrap(), Some(position(5)));
    cursor.save(position(7), ProgressDetails::default()).unwrap();
    assert_eq!(loaded(&storage).unwrap(), Some(position(7)));
    storage.fail_after(1, io::ErrorKind::Other);
    assert!(matches!(cursor.save(position(8), ProgressDetails::default()), Err(ProgressError::Unknown(_))));
    assert_eq!(cursor.position(), position(7));
}

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    let storage = Watched::empty();
    created(&storage);
    storage.memory.put(PATH, &storage.memory.contents(PATH).unwrap()[..100]);
    let shown = |store_id| match CursorFile::load(&storage, "events", store_id) {
        Ok(_) => panic!("it is not sound"),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown(STORE_ID), "store/cursors/events.cursor: damaged at offset 100: the file is too short");
    created(&storage);
    let other = Uuid::from_u128(1);
    assert_eq!(shown(other), format!("store/cursors/events.cursor: belongs to the store {STORE_ID}, not to {other}"));
}

#[test]
fn a_cursor_in_another_sinks_place_is_refused_and_left() {
    let storage = Watched::empty();
    created(&storage);
    let contents = storage.memory.contents(PATH).unwrap();
    storage.memory.put("store/cursors/audit.cursor", &contents);
    let shown = CursorFile::load(&storage, "audit", STORE_ID).map(drop).unwrap_err().to_string();
    assert_eq!(shown, "store/cursors/audit.cursor: damaged at offset 0: it is the cursor of another sink");
    assert_eq!(storage.memory.contents("store/cursors/audit.cursor").unwrap(), contents);
}

#[test]
fn the_names_of_cursor_files_are_read_as_they_are_written() {
    assert_eq!(path_of("events"), PATH);
    assert_eq!(sink_of("events.cursor"), Some("events"));
    let replay_id = Uuid::from_u128(7);
    let replay = format!("{}{SUFFIX}", replay_name("events", replay_id));
    assert_eq!(replay_of(&replay), Some(("events", replay_id)));
    assert_eq!(replay_of("events.cursor"), None);
    for other in ["events", ".cursor", "events.cursor.tmp", "", replay.as_str()] {
        assert_eq!(sink_of(other), None);
    }
}

#[test]
fn a_cursor_ahead_of_the_journal_is_damage() {
    let storage = Watched::empty();
    let mut cursor = created(&storage);
    assert!(cursor.check(Sequence(4), 1).is_ok());
    assert!(cursor.check(Sequence(3), 1).is_err());
    let mut window = WindowBits::default();
    [false, true, false].into_iter().for_each(|bit| window.push(bit));
    cursor
        .save(FeedPosition { epoch: 2, ..position(4) }, ProgressDetails { window, ..ProgressDetails::default() })
        .unwrap();
    assert!(cursor.check(Sequence(6), 2).is_ok());
    let shown = cursor.check(Sequence(5), 2).unwrap_err().to_string();
    assert!(shown.ends_with("it speaks of events that the journal does not have"), "{shown}");
    let shown = cursor.check(Sequence(6), 1).unwrap_err().to_string();
    assert!(shown.ends_with("it was saved in an epoch that the store has not reached"), "{shown}");
    let loaded = CursorFile::load(&storage, "events", STORE_ID).unwrap().unwrap();
    assert_eq!(loaded.details().window.settled().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_cursor_that_is_removed_is_gone() {
    let storage = Watched::empty();
    created(&storage);
    for _ in 0..2 {
        remove(&storage, "events").unwrap();
        assert_eq!(loaded(&storage).unwrap(), None);
    }
}
