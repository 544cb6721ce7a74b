//! One daemon a data directory, and only its own socket is ever removed.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;

use crate::support::{Client, Daemon, Store, events_of, files, orderd, resting_files};

#[test]
fn a_second_daemon_exits_73_and_harms_nothing() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    events_of(&store, 1);
    // The journal alone: the first daemon may still be saving its cursor.
    for _ in 0..5 {
        let before = resting_files(&store.path("data/store/journal"));
        let refused = Daemon::refused(&store).expect(73);
        assert!(refused.stderr.contains("data"), "the folder is named: {}", refused.stderr);
        assert!(files(&store.path("data/store/journal")) == before, "a byte of the journal has changed");
        client.place(2);
        assert_eq!(Client::connect(&store).status()["state"], "ready", "the socket is still the first one's");
    }
    // Also from another configuration with another socket.
    let other = Store::new();
    let data_dir = store.data_dir().display().to_string();
    other.configure_raw(&format!("[daemon]\ndata_dir = \"{data_dir}\"\nsocket = \"s\"\n"));
    Daemon::refused(&other).expect(73);
    assert!(!other.socket().exists(), "who holds no data directory opens no socket");
    client.place(3);
    daemon.stop();
}

#[test]
fn a_removed_lock_file_lets_no_second_daemon_in() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for round in 1..=3 {
        client.place(round);
        fs::remove_file(store.path("data/LOCK")).unwrap();
        let before = resting_files(&store.path("data/store/journal"));
        // By the same socket, and by another one, which nobody answers.
        let refused = Daemon::refused(&store).expect(73);
        assert!(refused.stderr.contains(&format!("pid {}", daemon.pid())), "the holder is named: {}", refused.stderr);
        let other = Store::new();
        other.configure_raw(&format!("[daemon]\ndata_dir = \"{}\"\nsocket = \"s\"\n", store.data_dir().display()));
        Daemon::refused(&other).expect(73);
        assert!(files(&store.path("data/store/journal")) == before, "a byte of the journal has changed");
        // What a refused start has made of the lock's file does not matter.
        fs::write(store.path("data/LOCK"), "").unwrap();
    }
    daemon.kill9();
    let _restarted = Daemon::start(&store);
    assert_eq!(Client::connect(&store).status()["orders"]["count"], 3, "nothing acknowledged is gone");
}

#[test]
fn a_start_that_finds_its_socket_taken_has_changed_no_byte_of_the_store() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.kill9();
    fs::remove_file(store.socket()).unwrap();
    let listener = UnixListener::bind(store.socket()).unwrap();
    let before = files(&store.path("data/store"));
    Daemon::refused(&store).expect(74);
    assert!(files(&store.path("data/store")) == before, "a byte of the store has changed");
    drop(listener);
}

#[test]
fn two_daemons_that_start_at_once_leave_one() {
    for _ in 0..5 {
        let store = Store::new();
        let mut racers: Vec<Daemon> = (0..4).map(|_| Daemon::spawn(&store)).collect();
        crate::support::eventually(crate::support::DEADLINE, "all but one have ended", || {
            racers.iter_mut().filter_map(|racer| racer.is_running().then_some(())).count() == 1
        });
        for racer in racers.iter_mut() {
            if !racer.is_running() {
                let code = racer.wait_exit(crate::support::DEADLINE).code();
                assert_eq!(code, Some(73), "{}", racer.stderr());
            }
        }
        let winner = racers.iter_mut().find_map(|racer| racer.is_running().then_some(racer)).unwrap();
        winner.wait_ready(&store);
        Client::connect(&store).place(1);
    }
}

#[test]
fn after_kill_9_neither_lock_nor_socket_is_in_the_way() {
    let store = Store::new();
    for lives in 0..5 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        assert_eq!(client.status()["orders"]["count"], lives);
        client.place(1);
        daemon.kill9();
        assert!(fs::metadata(store.socket()).unwrap().file_type().is_socket(), "a stale socket to clear away");
    }
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let store = Store::new();
    fs::write(store.socket(), "precious").unwrap();
    let run = Daemon::refused(&store);
    assert_ne!(run.code, Some(0));
    assert!(run.stderr.contains(&store.socket().display().to_string()), "the path is named: {}", run.stderr);
    assert_eq!(fs::read_to_string(store.socket()).unwrap(), "precious");

    fs::remove_file(store.socket()).unwrap();
    fs::create_dir(store.socket()).unwrap();
    assert_ne!(Daemon::refused(&store).code, Some(0));
    assert!(store.socket().is_dir());

    fs::remove_dir(store.socket()).unwrap();
    fs::write(store.path("target"), "precious").unwrap();
    std::os::unix::fs::symlink(store.path("target"), store.socket()).unwrap();
    assert_ne!(Daemon::refused(&store).code, Some(0));
    assert_eq!(fs::read_to_string(store.path("target")).unwrap(), "precious");
    assert!(fs::symlink_metadata(store.socket()).unwrap().is_symlink());

    fs::remove_file(store.socket()).unwrap();
    let _daemon = Daemon::start(&store);
}

#[test]
fn a_socket_that_somebody_answers_is_left_to_them() {
    let store = Store::new();
    let listener = UnixListener::bind(store.socket()).unwrap();
    let run = Daemon::refused(&store);
    assert_ne!(run.code, Some(0));
    assert!(run.stderr.contains(&store.socket().display().to_string()), "the path is named: {}", run.stderr);
    std::os::unix::net::UnixStream::connect(store.socket()).expect("the listener is still there");
    drop(listener);
    let _daemon = Daemon::start(&store);
    orderd(&store, &["status"]).expect(0);
}
