//! A damaged store is refused with exit 65, file and offset named, every byte left as it was.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Client, DEADLINE, Daemon, Store, copy_tree, events_of, eventually, files, flip_byte, orderd};

/// A stopped daemon's segment ends in a seal, which holds no plan.
const SEAL_BYTES: usize = 40;

/// A store with some history over two lives, ended as told.
fn filled(clean_stop: bool) -> Store {
    let store = Store::with("", "[executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\n");
    for life in 1..=2 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        for amount in 0..40 {
            let order = client.place(amount);
            client.result("order.complete", json!({"order_id": order}));
        }
        events_of(&store, life * 80);
        eventually(DEADLINE, "the cursor is written", || client.status()["sinks"][0]["lag_events"] == 0);
        if clean_stop { daemon.stop() } else { daemon.kill9() }
    }
    store
}

/// Holds both `serve` and `verify` to refuse, to name the file and where in it, and to change nothing.
#[track_caller]
fn is_refused(store: &Store, file: &Path, damage: &str) {
    println!("{}: {damage}", file.display());
    let before = files(&store.data_dir());
    let name = file.file_name().unwrap().to_str().unwrap();
    for run in [Daemon::refused(store), orderd(store, &["verify"])] {
        let run = run.expect(65);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(name), "{name} is not named: {said}");
        assert!(said.contains("offset"), "no offset is named: {said}");
        assert!(files(&store.data_dir()) == before, "a refused store is left byte for byte: {said}");
    }
    assert!(!store.socket().exists() || Client::try_connect(&store.socket()).is_err(), "nothing answers");
}

#[test]
fn one_changed_byte_in_a_sealed_journal_is_found_wherever_it_is() {
    let store = filled(true);
    for segment in store.segments() {
        let length = fs::read(&segment).unwrap().len();
        // The header, the first plans, the middle, the last plan.
        for offset in [0, 9, 40, 70, 100, 500, length / 2, length - SEAL_BYTES - 100, length - SEAL_BYTES - 20] {
            flip_byte(&segment, offset);
            is_refused(&store, &segment, &format!("a byte at {offset} of {length} changed"));
            flip_byte(&segment, offset);
        }
    }
    let _daemon = Daemon::start(&store);
    assert_eq!(Client::connect(&store).status()["orders"]["count"], 80);
}

#[test]
fn a_damaged_seal_costs_nothing_that_was_told() {
    // It only proves damage before it; a crash may end a segment without one, so nothing rests on its being there.
    for segment_number in 0..2 {
        let store = filled(true);
        let segment = store.segments().remove(segment_number);
        let length = fs::metadata(&segment).unwrap().len();
        flip_byte(&segment, usize::try_from(length).unwrap() - SEAL_BYTES / 2);
        let _daemon = Daemon::start(&store);
        let status = Client::connect(&store).status();
        assert_eq!((&status["orders"]["count"], &status["outbox"]["last_sequence"]), (&json!(80), &json!(160)));
    }
}

#[test]
fn damage_behind_which_durable_plans_follow_is_no_torn_tail() {
    let store = filled(false);
    let segment = store.segments().pop().unwrap();
    for offset in [70, 200, 1000, 3000] {
        flip_byte(&segment, offset);
        is_refused(&store, &segment, &format!("a byte at {offset} changed"));
        flip_byte(&segment, offset);
    }
    let _daemon = Daemon::start(&store);
    assert_eq!(Client::connect(&store).status()["orders"]["count"], 80);
}

#[test]
fn zeros_in_the_middle_are_no_end() {
    for clean_stop in [true, false] {
        let store = filled(clean_stop);
        for segment in store.segments() {
            let whole = fs::read(&segment).unwrap();
            let mut zeroed = whole.clone();
            zeroed[1024..2048].fill(0);
            fs::write(&segment, &zeroed).unwrap();
            is_refused(&store, &segment, "zeros in the middle");
            fs::write(&segment, &whole).unwrap();
        }
    }
}

#[test]
fn a_journal_cut_short_or_missing_is_refused() {
    let store = filled(true);
    for segment in store.segments() {
        let whole = fs::read(&segment).unwrap();
        for length in [0, 10, 64, 700, whole.len() / 2, whole.len() - SEAL_BYTES - 20] {
            fs::write(&segment, &whole[..length]).unwrap();
            is_refused(&store, &segment, &format!("cut from {} to {length} bytes", whole.len()));
        }
        fs::write(&segment, &whole).unwrap();
    }
    let first = store.segments().remove(0);
    fs::rename(&first, store.path("kept")).unwrap();
    // What is not there can only be named by its place.
    is_refused(&store, &store.journal_dir(), "its first segment is missing");
    fs::rename(store.path("kept"), &first).unwrap();
    Daemon::start(&store).stop();
    let segments = store.segments();
    assert!(segments.len() >= 3, "at least a segment a life: {segments:?}");
    fs::remove_file(&segments[1]).unwrap();
    is_refused(&store, &segments[0], "the one behind it is missing");
}

#[test]
fn an_unreadable_part_is_never_taken_for_an_empty_one() {
    let parts = ["store/identity", "store/cursors/events.cursor"];
    let store = filled(true);
    for part in parts {
        let file = store.data_dir().join(part);
        let whole = fs::read(&file).unwrap();
        let damaged: [Vec<u8>; 3] = [vec![0; whole.len()], vec![0xff; whole.len()], Vec::new()];
        for bytes in damaged {
            fs::write(&file, bytes).unwrap();
            is_refused(&store, &file, "zeros, ones, or nothing at all");
        }
        fs::write(&file, &whole).unwrap();
    }
    let identity = store.path("data/store/identity");
    fs::remove_file(&identity).unwrap();
    let before = files(&store.data_dir());
    Daemon::refused(&store).expect(65);
    assert!(files(&store.data_dir()) == before);
}

#[test]
fn a_folder_that_is_missing_or_in_a_files_place_is_damage() {
    let store = filled(true);
    for folder in ["journal", "checkpoints", "cursors"] {
        let folder = store.data_dir().join("store").join(folder);
        let away = store.path("away");
        fs::rename(&folder, &away).unwrap();
        is_refused(&store, &folder, "the folder is missing");
        fs::rename(&away, &folder).unwrap();
    }
    for file in [store.segments().remove(1), store.data_dir().join("store/cursors/events.cursor")] {
        let away = store.path("away");
        fs::rename(&file, &away).unwrap();
        fs::create_dir(&file).unwrap();
        is_refused(&store, &file, "a folder is in the file's place");
        fs::remove_dir(&file).unwrap();
        fs::rename(&away, &file).unwrap();
    }
    let _daemon = Daemon::start(&store);
}

#[test]
fn the_cursor_of_a_sink_that_is_not_recorded_is_removed_whatever_is_in_it() {
    let store = filled(true);
    let cursors = store.data_dir().join("store/cursors");
    fs::copy(cursors.join("events.cursor"), cursors.join("copied.cursor")).unwrap();
    fs::write(cursors.join("garbage.cursor"), "x").unwrap();
    orderd(&store, &["verify"]).expect(0);
    let mut daemon = Daemon::start(&store);
    assert_eq!(files(&cursors).len(), 1, "the sink's own is left");
    daemon.stop();
    // Of a sink that is recorded the same bytes are damage.
    fs::write(cursors.join("events.cursor"), "x").unwrap();
    is_refused(&store, &cursors.join("events.cursor"), "garbage");
}

#[test]
fn a_recorded_sink_without_its_cursor_is_refused_before_the_journals_end_is_repaired() {
    let store = filled(false);
    let cursor = store.data_dir().join("store/cursors/events.cursor");
    fs::remove_file(&cursor).unwrap();
    is_refused(&store, &cursor, "missing, and the daemon had been killed");
}

#[test]
fn a_journal_that_is_gone_altogether_is_not_a_new_store() {
    let store = filled(true);
    for segment in store.segments() {
        fs::remove_file(segment).unwrap();
    }
    let before = files(&store.data_dir());
    Daemon::refused(&store).expect(65);
    assert!(files(&store.data_dir()) == before);
}

#[test]
fn a_cursor_ahead_of_the_journal_is_refused_with_both_numbers() {
    let store = filled(true);
    let older = store.path("older");
    copy_tree(&store.data_dir(), &older);
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..10).for_each(|amount| drop(client.place(amount)));
    eventually(DEADLINE, "the sink has caught up", || client.status()["sinks"][0]["acked_sequence"] == 170);
    daemon.stop();
    // The journal of before, the cursor of now: somebody has put back half a backup.
    let cursor: PathBuf = "store/cursors/events.cursor".into();
    fs::copy(store.data_dir().join(&cursor), older.join(&cursor)).unwrap();
    fs::rename(store.data_dir(), store.path("newer")).unwrap();
    fs::rename(&older, store.data_dir()).unwrap();
    let before = files(&store.data_dir());
    let run = Daemon::refused(&store).expect(65);
    assert!(run.stderr.contains("cursor") && run.stderr.contains("offset"), "what and where: {}", run.stderr);
    // The journal ends with plan 161, the first of which recorded the sink: the first that is missing is 162.
    assert!(run.stderr.contains("171") && run.stderr.contains("162"), "both numbers: {}", run.stderr);
    assert!(files(&store.data_dir()) == before);
}

#[test]
fn a_store_folder_with_nothing_in_it_is_not_a_new_store() {
    let store = Store::new();
    for part in ["data/store", "data/store/journal"] {
        fs::create_dir_all(store.path(part)).unwrap();
        let run = Daemon::refused(&store).expect(65);
        assert!(run.stderr.contains("store"), "the folder is named: {}", run.stderr);
        assert!(files(&store.data_dir()).is_empty(), "nothing was made");
        assert_eq!(orderd(&store, &["verify"]).code, Some(65));
    }
    fs::remove_dir_all(store.path("data/store")).unwrap();
    fs::write(store.path("data/store"), "not a folder").unwrap();
    assert_ne!(Daemon::refused(&store).code, Some(0));
    assert_eq!(fs::read_to_string(store.path("data/store")).unwrap(), "not a folder");
}

#[test]
fn a_half_made_store_is_not_taken_for_one() {
    let store = Store::new();
    fs::create_dir_all(store.path("data/store.tmp/journal")).unwrap();
    fs::write(store.path("data/store.tmp/identity"), "half").unwrap();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    orderd(&store, &["verify"]).expect(0);
}
