//! The file sink: whole lines, repaired after a crash, reopened for log rotation.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Client, DEADLINE, Daemon, Store, events, events_of, eventually, lines};

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequence"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_torn_last_line_is_cut_off_at_start_and_nothing_is_lost() {
    let torn_tails: [&[u8]; 5] = [b"{", b"{\"specversion\":\"1.0\",\"id\":\"", b"\xff\xfe", b"\0\0\0\0", b"{}"];
    for (torn, killed) in torn_tails.iter().flat_map(|torn| [(torn, true), (torn, false)]) {
        let store = Store::new();
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        for amount in 0..5 {
            client.place(amount);
        }
        events_of(&store, 5);
        if killed {
            daemon.kill9()
        } else {
            daemon.stop()
        }
        let whole = lines(&store.sink());
        fs::OpenOptions::new().append(true).open(store.sink()).unwrap().write_all(torn).unwrap();

        let _daemon = Daemon::start(&store);
        Client::connect(&store).place(6);
        eventually(DEADLINE, "the sixth event", || {
            events(&store.sink()).iter().any(|event| event["sequence"] == format!("{:020}", 6))
        });
        let text = fs::read(store.sink()).unwrap();
        assert!(text.ends_with(b"\n"));
        let after = lines(&store.sink());
        assert_eq!(after[..whole.len()], whole, "what was whole stays");
        let all: BTreeSet<u64> = sequences(&events(&store.sink())).into_iter().collect();
        assert_eq!(all, (1..=6).collect(), "torn {torn:?}");
    }
}

#[test]
fn a_first_line_torn_from_the_start_is_cut_off() {
    let store = Store::new();
    fs::write(store.sink(), "{\"specver").unwrap();
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    assert_eq!(sequences(&events_of(&store, 1)), [1]);
}

#[test]
fn what_was_in_the_file_before_stays_in_it() {
    let store = Store::new();
    fs::write(store.sink(), "{\"other\":1}\n").unwrap();
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    let events = events_of(&store, 2);
    assert_eq!(events[0], serde_json::json!({"other": 1}));
    assert_eq!(sequences(&events[1..]), [1]);
}

#[test]
fn sighup_reopens_a_rotated_file() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut count = 0;
    for rotation in 0..3 {
        for amount in 0..10 {
            client.place(amount);
            count += 1;
        }
        let in_file = if rotation == 0 { 10 } else { count - rotation * 10 };
        eventually(DEADLINE, "the events before the rotation", || lines(&store.sink()).len() >= in_file);
        fs::rename(store.sink(), store.path(&format!("events.{rotation}"))).unwrap();
        daemon.signal(Signal::HUP);
        eventually(DEADLINE, "the file is made again", || store.sink().exists());
    }
    client.place(1);
    events_of(&store, 1);
    assert!(daemon.is_running(), "SIGHUP ends nothing");
    daemon.stop();
    let mut seen = Vec::new();
    for name in ["events.0", "events.1", "events.2", "events.ndjson"] {
        seen.extend(sequences(&events(&store.path(name))));
    }
    assert_eq!(seen, (1..=31).collect::<Vec<u64>>(), "over all files nothing is lost or twice");
}

#[test]
fn sighup_while_events_flow_loses_and_doubles_nothing() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut count = 0_u64;
    for rotation in 0..20 {
        for _ in 0..50 {
            client.place(1);
            count += 1;
        }
        // Right behind the last answer: deliveries are under way. A file not yet made again is rotated next time.
        fs::rename(store.sink(), store.path(&format!("events.{rotation:02}"))).ok();
        daemon.signal(Signal::HUP);
    }
    eventually(DEADLINE, "the sink has caught up", || client.status()["sinks"][0]["acked_sequence"] == count);
    daemon.stop();
    let mut seen = Vec::new();
    for rotation in 0..20 {
        seen.extend(sequences(&events(&store.path(&format!("events.{rotation:02}")))));
    }
    seen.extend(sequences(&events(&store.sink())));
    assert_eq!(seen, (1..=count).collect::<Vec<u64>>());
}

#[test]
fn the_file_and_its_folder_may_be_relative_to_the_configuration() {
    let store = Store::raw(
        "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n[[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"data/events.ndjson\"\n",
    );
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    eventually(DEADLINE, "one event", || lines(&store.path("data/events.ndjson")).len() == 1);
}

#[test]
fn lines_that_are_missing_at_the_end_come_again_and_no_other_line_does() {
    for (killed, cut_bytes) in [(true, 10), (false, 10), (true, 1500), (false, 1500)] {
        let store = Store::new();
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        (0..8).for_each(|amount| drop(client.place(amount)));
        // The cursor has all of it, too.
        eventually(DEADLINE, "all is acknowledged", || client.status()["sinks"][0]["acked_sequence"] == 8);
        let whole = fs::read(store.sink()).unwrap();
        if killed {
            daemon.kill9()
        } else {
            daemon.stop()
        }
        fs::OpenOptions::new().write(true).open(store.sink()).unwrap().set_len(whole.len() as u64 - cut_bytes).unwrap();
        daemon = Daemon::start(&store);
        eventually(DEADLINE, "what was cut off is there again", || fs::read(store.sink()).unwrap() == whole);
        Client::connect(&store).place(8);
        events_of(&store, 9);
        daemon.kill9();
        let _daemon = Daemon::start(&store);
        Client::connect(&store).place(9);
        assert_eq!(sequences(&events_of(&store, 10)), (1..=10).collect::<Vec<_>>());
        assert!(fs::read(store.sink()).unwrap().starts_with(&whole));
    }
}

#[test]
fn a_line_that_is_cut_under_the_running_daemon_comes_again_and_an_emptied_file_goes_on() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..8).for_each(|amount| drop(client.place(amount)));
    eventually(DEADLINE, "all is acknowledged", || client.status()["sinks"][0]["acked_sequence"] == 8);
    let whole = fs::read(store.sink()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(store.sink()).unwrap();
    file.set_len(whole.len() as u64 - 100).unwrap();
    client.place(8);
    assert_eq!(sequences(&events_of(&store, 9)), (1..=9).collect::<Vec<_>>());
    eventually(DEADLINE, "all is acknowledged", || client.status()["sinks"][0]["acked_sequence"] == 9);
    file.set_len(0).unwrap();
    client.place(9);
    assert_eq!(sequences(&events_of(&store, 1)), [10]);
}
