//! `orderd verify`: reads a whole store, changes nothing, says what it found.

use std::fs;

use serde_json::json;

use crate::support::{Cli, Client, Daemon, Store, files, flip_byte, orderd};

/// A store with some history over two lives, stopped.
fn filled() -> Store {
    let store = Store::new();
    for _ in 0..2 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        for amount in 0..20 {
            let order = client.place(amount);
            client.result("order.complete", json!({"order_id": order}));
        }
        daemon.stop();
    }
    store
}

#[test]
fn a_sound_store_is_found_sound_and_left_alone() {
    let store = filled();
    let before = files(&store.data_dir());
    let run = orderd(&store, &["verify"]).expect(0);
    assert!(run.stdout.contains("80"), "the plans are counted: {}", run.stdout);
    assert!(files(&store.data_dir()) == before, "a byte of the store has changed");
    // From anywhere, by its folder alone.
    let data_dir = store.data_dir().display().to_string();
    Cli::new(&["verify", "--data-dir", &data_dir]).dir(std::path::Path::new("/")).run().expect(0);
    assert!(files(&store.data_dir()) == before, "a byte of the store has changed");
}

#[test]
fn one_plan_is_told_as_one() {
    let store = Store::raw("[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n");
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    let run = orderd(&store, &["verify"]).expect(0);
    assert!(run.stdout.contains("journal: 1 plan, LSN 1 to 1\n"), "{}", run.stdout);
}

#[test]
fn a_store_in_use_can_be_verified() {
    let store = filled();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..50 {
        client.place(amount);
        if amount % 10 == 0 {
            orderd(&store, &["verify"]).expect(0);
        }
    }
    assert_eq!(client.status()["orders"]["count"], 90);
}

#[test]
fn what_is_said_of_a_store_in_use_is_of_one_moment() {
    let store = filled();
    let _daemon = Daemon::start(&store);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(&store);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                client.place(1);
            }
        });
        let runs: Vec<_> = (0..5).map(|_| orderd(&store, &["verify"])).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        runs
    });
    for run in runs {
        let said = run.expect(0).stdout;
        let line = said.lines().find(|line| line.starts_with("journal: ")).unwrap();
        let numbers: Vec<u64> = line.replace(',', "").split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [plans, first, last] = numbers.try_into().unwrap();
        assert_eq!(plans, last + 1 - first, "{line}");
    }
}

#[test]
fn a_damaged_store_exits_65_and_names_file_and_offset() {
    let store = filled();
    let segment = store.segments().remove(0);
    flip_byte(&segment, 1000);
    let before = files(&store.data_dir());
    let run = orderd(&store, &["verify"]).expect(65);
    let said = format!("{}{}", run.stdout, run.stderr);
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name), "the file is named: {said}");
    assert!(said.contains("offset"), "the offset is named: {said}");
    assert!(files(&store.data_dir()) == before, "a byte of the store has changed");
}

#[test]
fn a_store_that_is_not_there_is_not_called_sound_and_not_made() {
    let store = Store::new();
    let run = orderd(&store, &["verify"]);
    assert!(matches!(run.code, Some(65 | 74)), "{run:?}");
    assert!(run.stderr.contains("data"), "the folder is named: {}", run.stderr);
    assert!(!store.data_dir().exists());
    fs::create_dir(store.data_dir()).unwrap();
    let run = orderd(&store, &["verify"]);
    assert!(matches!(run.code, Some(65 | 74)), "{run:?}");
    assert!(run.stderr.contains("data"), "the folder is named: {}", run.stderr);
    assert!(files(&store.data_dir()).is_empty());
}

#[test]
fn a_missing_cursor_is_found_before_a_start_trips_over_it() {
    let store = Store::new();
    Daemon::start(&store).stop();
    let cursor = store.data_dir().join("store/cursors/events.cursor");
    fs::remove_file(&cursor).expect("the sink has a cursor");
    for run in [orderd(&store, &["verify"]), Daemon::refused(&store)] {
        let run = run.expect(65);
        assert!(run.stderr.contains("cursors/events.cursor: ") && run.stderr.contains("missing"), "{}", run.stderr);
    }
}
