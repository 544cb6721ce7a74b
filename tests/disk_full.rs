//! A disk that is full, really: a small tmpfs, filled and freed again and again under load.
//!
//! `ORDERD_FULL_CYCLES` says how often (default 4), `ORDERD_SEED` repeats a run's choices. Needs root, to mount.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::history::Outcome;
use crate::load::{Command, Recorder, Rng, Summary, count, seed, wait_relayed};
use crate::support::{Client, DEADLINE, Daemon, Mount, Store, assert_error, eventually, lines, place_params};

const DISK_BYTES: u64 = 24 << 20;

const REDELIVERED_MAX: u64 = 2000;

/// The journal on the disk that fills up, the sink on another: delivery must not depend on room in the journal.
const CONFIG: &str = "
[daemon]
data_dir = \"disk/data\"
socket = \"s\"

[executor]
batch_bytes_max = 65536

[journal]
segment_bytes = 1048576
retain_bytes = 8388608

[checkpoint]
plans = 5000

[[sinks]]
name = \"events\"
type = \"file\"
path = \"events.ndjson\"
";

/// How soon commands are taken again when there is room: a second, and what a busy machine adds.
const RESUME_MAX: Duration = Duration::from_secs(3);

/// Times that one store is full: what it keeps grows, and with it the share of the disk that is its own.
const CYCLES_A_STORE: u64 = 10;

#[test]
fn a_full_disk_refuses_commands_until_there_is_room_and_loses_nothing() {
    let seed = seed("disk_full");
    let cycles = count("ORDERD_FULL_CYCLES", 4);
    let mut rng = Rng::new(seed);
    let mut done = 0;
    while done < cycles {
        let number = CYCLES_A_STORE.min(cycles - done);
        let summary = fill_one_store(number, &mut rng.fork(done));
        println!("{done} to {} times full: {summary:?}", done + number);
        assert!(summary.refused > 0, "{summary:?}");
        done += number;
    }
}

#[test]
fn a_sink_that_is_new_on_a_full_disk_begins_when_there_is_room() {
    let store = Store::raw(CONFIG);
    let disk = Mount::tmpfs(&store.path("disk"), DISK_BYTES);
    let filler = store.path("disk/filler");
    let mut daemon = Daemon::start(&store);
    for amount in 1..=3 {
        Client::connect(&store).place(amount);
    }
    daemon.stop();
    fill(&filler);
    let sink =
        |name: &str, keys| format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{name}.ndjson\"\n{keys}\n");
    store.configure_raw(&[CONFIG, &sink("late", ""), &sink("copy", "start = \"snapshot\"")].join("\n"));
    let mut daemon = Daemon::spawn(&store);
    wait_state(&store, "storage_full");
    let late = || Client::connect(&store).status()["sinks"][1].take();
    eventually(DEADLINE, "the new sink says what it waits for", || {
        late()["last_error"].as_str().is_some_and(|error| error.contains("no room to register"))
    });
    assert_eq!((&late()["name"], &late()["state"]), (&json!("late"), &json!("retrying")));
    assert!(!store.path("late.ndjson").exists() || lines(&store.path("late.ndjson")).is_empty(), "nothing before that");
    std::fs::remove_file(&filler).expect("room again");
    eventually(DEADLINE, "the new sink has everything", || late()["acked_sequence"] == 3);
    assert_eq!((&late()["state"], &late()["last_error"]), (&json!("idle"), &Value::Null));
    let copied = || lines(&store.path("copy.ndjson"));
    eventually(DEADLINE, "each order as of the start", || copied().len() == 3);
    assert!(copied().iter().all(|line| line.contains("\"type\":\"OrderSnapshot\"")), "{:?}", copied());
    // They are sinks like any other from then on.
    daemon.kill9();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(4);
    eventually(DEADLINE, "the next event comes once", || lines(&store.path("late.ndjson")).len() == 4);
    eventually(DEADLINE, "and after the snapshot", || copied().len() == 4);
    daemon.stop();
    disk.unmount();
}

fn fill_one_store(cycles: u64, rng: &mut Rng) -> Summary {
    let store = Store::raw(CONFIG);
    let disk = Mount::tmpfs(&store.path("disk"), DISK_BYTES);
    let filler = store.path("disk/filler");
    let mut witness = Recorder::new(&store.sink(), REDELIVERED_MAX);
    let mut daemon = Daemon::start(&store);
    let crew = witness.crew(4, &store.socket(), rng);
    for _ in 0..cycles {
        let order_id = place(&mut witness, &store, rng);
        fill(&filler);
        wait_state(&store, "storage_full");
        while_full(&store, &order_id);
        if rng.chance(40) {
            // A daemon that starts on a full disk is there for reads and for the relay.
            daemon.kill9();
            witness.died();
            daemon = Daemon::spawn(&store);
            fill(&filler);
            wait_state(&store, "storage_full");
            while_full(&store, &order_id);
        }
        witness.dump_news(&store);
        assert!(daemon.is_running(), "a full disk is a state, not an end: {}", daemon.stderr());
        std::fs::remove_file(&filler).expect("room again");
        let freed = Instant::now();
        wait_state(&store, "ready");
        place(&mut witness, &store, rng);
        assert!(freed.elapsed() < RESUME_MAX, "taken again only after {:?}", freed.elapsed());
    }
    witness.heard(crew.settle());
    let summary = witness.conclude(&store, daemon);
    disk.unmount();
    summary
}

fn place(witness: &mut Recorder, store: &Store, rng: &mut Rng) -> String {
    match witness.call(store, Command::new_order(rng)) {
        Outcome::Done { order, .. } => order.order_id,
        other => panic!("there is room, and yet: {other:?}"),
    }
}

/// What holds while there is no room: commands are told so, reads are answered, what is durable is delivered.
fn while_full(store: &Store, order_id: &str) {
    let mut client = Client::connect(store);
    let error = client.call("order.place", place_params(1)).expect_err("no room");
    // It never happened, so no history needs to know of it.
    assert_error(&error, 1103, "storage_full");
    let order: Value = client.result("order.get", json!({"order_id": order_id}));
    assert_eq!(order["order"]["order_id"], order_id);
    wait_relayed(store);
}

/// Takes all the room there is, and what comes free for a while: the daemon may give some back.
fn fill(path: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file to fill the disk with");
    for bytes in [1 << 20, 1 << 16, 1 << 12, 1] {
        let block = vec![0_u8; bytes];
        while file.write_all(&block).is_ok() {}
    }
}

fn wait_state(store: &Store, state: &str) {
    eventually(DEADLINE, &format!("the daemon says {state}"), || {
        let client = Client::try_connect(&store.socket());
        let status = client.ok().and_then(|mut client| client.try_status());
        status.is_some_and(|status| status["state"] == state)
    });
}
