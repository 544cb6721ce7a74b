//! Stores of other versions: a past one is served with everything that is in it, a newer one is refused by name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Client, Consumer, DEADLINE, Daemon, Outcome, Store, copy_tree, events_of, eventually, files, orderd,
};

const CUSTOMER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A store as orderd with format 2 left it, beside what `dump` and `lane list` said of it then. Never written again:
/// a later format gets a folder of its own, and this one is still served, or is refused by name from then on.
fn past() -> PathBuf {
    stored("format-2")
}

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name)
}

/// The configuration that it was written with.
fn configured() -> Store {
    Store::with(
        "",
        "[[sinks]]\nname = \"mail\"\ntype = \"subscription\"\n\
         [executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\ndecisions_bytes = 16384\n\
         [checkpoint]\nplans = 4\n",
    )
}

fn order_id(number: u32) -> String {
    format!("01890a5d-ac96-774b-bcce-{number:012}")
}

/// A command with everything that a command can have.
fn first_command() -> Value {
    json!({
        "customer_id": CUSTOMER, "total_amount": 1299, "order_id": order_id(1), "command_id": order_id(9),
        "metadata": {"channel": "shop", "tags": ["a", 1, null]},
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b",
    })
}

fn lanes(store: &Store) -> String {
    orderd(store, &["lane", "list", "mail", "--json"]).expect(0).stdout
}

fn dump(store: &Store) -> String {
    orderd(store, &["dump"]).expect(0).stdout
}

fn served(dir: &Path) -> Store {
    let store = configured();
    copy_tree(&dir.join("data"), &store.data_dir());
    store
}

#[test]
fn a_store_of_a_past_version_is_served_with_everything_in_it() {
    let store = served(&past());
    orderd(&store, &["verify"]).expect(0);
    let was = |name: &str| fs::read_to_string(past().join(name)).unwrap();
    assert_eq!(dump(&store), was("dump.ndjson"));
    let _daemon = Daemon::start(&store);
    assert_eq!(lanes(&store), was("lanes.json"));
    let mut client = Client::connect(&store);
    let states = [(1, "completed"), (2, "cancelled"), (3, "placed")];
    for (number, status) in states {
        assert_eq!(client.result("order.get", json!({"order_id": order_id(number)}))["order"]["status"], status);
    }
    assert_eq!(client.result("order.place", first_command())["duplicate"], true, "command ids are remembered");
    // It goes on where it was: the cursor of `events` had everything, and the next event is the sixth.
    client.place(1);
    assert_eq!(events_of(&store, 1)[0]["sequence"], format!("{:020}", 6));
    let traced = client.result("order.trace", json!({"order_id": order_id(2)}));
    assert_eq!(traced["events"][0]["sinks"][1]["state"], "parked", "{traced}");
}

/// `format-1` is what the last orderd 0.1 left when it was killed. It has another layout of everything, and no release
/// ever wrote it: it is only never misread.
#[test]
fn a_store_of_0_1_is_refused_by_the_name_of_its_format_and_stays_as_it_is() {
    let store = served(&stored("format-1"));
    let before = files(&store.data_dir());
    for refused in [Daemon::refused(&store), orderd(&store, &["verify"]), orderd(&store, &["dump"])] {
        let says = "store/identity: the store has format version 1 (orderd 0.1), and this orderd reads version 2";
        let refused = refused.expect(78);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    assert!(files(&store.data_dir()) == before, "every byte stays");
}

/// How `past` was made: `cargo test --test suite write_a_store -- --ignored`, after `past` names a new folder.
#[test]
#[ignore = "writes a store into the sources"]
fn write_a_store_of_this_version() {
    assert!(!past().exists(), "past versions' stores stay as they are");
    let store = configured();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.result("order.place", first_command());
    for number in [2, 3] {
        let params = json!({"customer_id": CUSTOMER, "total_amount": number, "order_id": order_id(number)});
        client.result("order.place", params);
    }
    client.result("order.complete", json!({"order_id": order_id(1)}));
    client.result("order.cancel", json!({"order_id": order_id(2), "reason": "ordered twice"}));
    events_of(&store, 5);
    let is_second = |event: &Value| event["event"]["subject"] == *order_id(2);
    Consumer::attach(&store, "mail")
        .work(|event| if is_second(event) { Outcome::Rejected("no such customer") } else { Outcome::Delivered });
    let checkpoints = store.data_dir().join("store/checkpoints");
    eventually(DEADLINE, "there is a checkpoint", || {
        let files = fs::read_dir(&checkpoints).unwrap().map(|file| file.unwrap().path());
        files.into_iter().any(|file| file.extension().is_some_and(|extension| extension == "ckpt"))
    });
    fs::create_dir_all(past()).unwrap();
    fs::write(past().join("lanes.json"), lanes(&store)).unwrap();
    daemon.stop();
    fs::write(past().join("dump.ndjson"), dump(&store)).unwrap();
    copy_tree(&store.data_dir(), &past().join("data"));
    fs::remove_file(past().join("data/LOCK")).unwrap();
}

/// A number in a file's header that only a newer version writes, with a checksum that fits.
struct Newer {
    file: &'static str,
    offset: usize,
    checksum: usize,
    says: &'static str,
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_name_and_stays_as_it_is() {
    let segment = "store/journal/00000000000000000001.wal";
    for newer in [
        Newer {
            file: "store/identity",
            offset: 8,
            checksum: 28,
            says: "store/identity: the store has format version 3 (a newer orderd)",
        },
        Newer {
            file: "store/identity",
            offset: 10,
            checksum: 28,
            says: "store/identity: the store has features that this orderd does not know: 0x0001",
        },
        Newer { file: segment, offset: 8, checksum: 60, says: "has format version 3" },
        Newer { file: segment, offset: 10, checksum: 60, says: "has features that this orderd does not know: 0x0001" },
    ] {
        let store = served(&past());
        let path = store.data_dir().join(newer.file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[newer.offset] += 1;
        let checksum = crc32c::crc32c(&bytes[..newer.checksum]);
        bytes[newer.checksum..newer.checksum + 4].copy_from_slice(&checksum.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let before = files(&store.data_dir());
        for refused in [Daemon::refused(&store), orderd(&store, &["verify"])] {
            let refused = refused.expect(78);
            assert!(refused.stderr.contains(newer.says), "{} in {}", newer.says, refused.stderr);
        }
        assert!(files(&store.data_dir()) == before, "{}: every byte stays", newer.says);
    }
}
