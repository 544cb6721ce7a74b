//! A half-written tail of the last batch is cut off and reported, and everything before it is there.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde_json::json;

use crate::support::{Client, DEADLINE, Daemon, Store, events_of, eventually, files, orderd};

const ORDERS: u64 = 30;

/// A store of a killed daemon.
fn killed() -> Store {
    let store = Store::with("", "[executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..ORDERS).for_each(|amount| drop(client.place(amount)));
    events_of(&store, usize::try_from(ORDERS).unwrap());
    daemon.kill9();
    store
}

/// Where the last written frame ends: behind it there is only room that was never used.
fn end_of_frames(segment: &Path) -> usize {
    let bytes = fs::read(segment).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    used.next_multiple_of(8)
}

#[test]
fn a_torn_tail_is_reported_and_left_behind_for_good() {
    // What a write that was cut off may leave: a few bytes, half a frame, garbage over several sectors.
    let half_a_frame = [&b"oPLN"[..], &[120, 0, 0, 0], &[7; 60]].concat();
    for tail in [vec![0x6f], vec![0xff; 9], half_a_frame, vec![0xa5; 3000]] {
        let store = killed();
        let segment = store.segments().pop().unwrap();
        let end = end_of_frames(&segment);
        fs::File::options().write(true).open(&segment).unwrap().write_all_at(&tail, end as u64).unwrap();
        let name = segment.file_name().unwrap().to_str().unwrap().to_owned();

        let before = files(&store.data_dir());
        let verified = orderd(&store, &["verify"]).expect(0);
        let told = |text: &str| text.contains(&name) && text.contains(&end.to_string());
        assert!(told(&verified.stdout), "verify names file and offset: {}", verified.stdout);
        assert!(files(&store.data_dir()) == before, "verify changes nothing");

        let mut daemon = Daemon::start(&store);
        // What a start says is written by a thread of its own, which may come after the first answer.
        eventually(DEADLINE, "the start names file and offset", || told(&daemon.stderr()));
        let mut client = Client::connect(&store);
        assert_eq!(client.status()["orders"]["count"], ORDERS);
        client.place(1);
        daemon.kill9();

        // It is not judged again at the next start, whatever was written since.
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        assert_eq!(client.status()["orders"]["count"], ORDERS + 1);
        assert_eq!(client.status()["outbox"]["last_sequence"], ORDERS + 1);
        daemon.stop();
        orderd(&store, &["verify"]).expect(0);
        let lsns: Vec<serde_json::Value> = orderd(&store, &["dump"])
            .expect(0)
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["lsn"].clone())
            .collect();
        // One plan more than orders: the sink was recorded.
        assert_eq!(json!(lsns), json!((1..=ORDERS + 2).collect::<Vec<u64>>()));
    }
}

#[test]
fn kills_do_not_leave_their_reserved_room_behind() {
    let store = Store::with("", "[executor]\nbatch_bytes_max = 65536\n[journal]\nsegment_bytes = 4194304\n");
    for kills in 0..8 {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        client.place(1);
        let taken: u64 = store.segments().iter().map(|segment| fs::metadata(segment).unwrap().len()).sum();
        assert!(taken < 2 * 4_194_304, "{taken} bytes after {kills} kills with as many plans");
        assert_eq!(client.status()["journal"]["bytes"], taken, "what status says is what there is");
        daemon.kill9();
    }
    orderd(&store, &["verify"]).expect(0);
}

#[test]
fn a_start_that_is_killed_midway_leaves_a_store_that_starts() {
    let store = killed();
    for delay_ms in 0..30 {
        let mut daemon = Daemon::spawn(&store);
        crate::support::pause(std::time::Duration::from_millis(delay_ms));
        daemon.kill9();
    }
    let _daemon = Daemon::start(&store);
    let status = Client::connect(&store).status();
    assert_eq!((&status["orders"]["count"], &status["outbox"]["last_sequence"]), (&json!(ORDERS), &json!(ORDERS)));
}
