//! `orderd backup` and `orderd restore`: a whole store at one position, and a store of its own made of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Mount, Run, Store, copy_tree, events_of, flip_byte, orderd, uuid};

#[track_caller]
fn backup(store: &Store, name: &str) -> Run {
    orderd(store, &["backup", store.path(name).to_str().unwrap()])
}

/// Makes a store of a backup in the data directory of another one.
fn restore(from: &Path, to: &Store) -> Run {
    orderd(to, &["restore", from.to_str().unwrap(), "--data-dir", to.data_dir().to_str().unwrap(), "--json"])
}

fn verify(store: &Store, dir: &Path) -> Run {
    orderd(store, &["verify", "--data-dir", dir.to_str().unwrap()])
}

fn order_ids(client: &mut Client, count: u64) -> Vec<String> {
    (0..count).map(|amount| client.place(amount)).collect()
}

#[test]
fn a_backup_of_a_running_store_is_everything_up_to_one_position() {
    let store = Store::with(
        "",
        "[checkpoint]\nplans = 50\n[executor]\nbatch_bytes_max = 16384\n[journal]\nsegment_bytes = 65536\nretain_bytes = 0\n",
    );
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let command = json!({"customer_id": uuid(), "total_amount": 1, "command_id": uuid()});
    let mut first = client.result("order.place", command.clone());
    let before = order_ids(&mut client, 600);
    events_of(&store, 601);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        // Commands go on meanwhile.
        let more = scope.spawn(|| {
            let mut client = Client::connect(&store);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                client.place(7);
            }
        });
        let run = orderd(&store, &["backup", store.path("copy").to_str().unwrap(), "--json"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        more.join().unwrap();
        run.expect(0).json()
    });
    let lsn = report["lsn"].as_u64().unwrap();
    assert!(lsn >= 602, "{report}");
    let copy = store.path("copy");
    let verified = verify(&store, &copy).expect(0);
    assert!(verified.stdout.contains(&format!("to {lsn}\n")), "exactly up to the position {lsn}: {}", verified.stdout);
    for entry in ["", "store", "store/journal", "manifest.json"] {
        let metadata = fs::metadata(copy.join(entry)).unwrap();
        assert_eq!(metadata.mode() & 0o077, 0, "{entry} is open to others");
    }

    let other = Store::new();
    let restored = restore(&copy, &other).expect(0).json();
    assert_eq!((&restored["storeepoch"], &restored["lsn"]), (&json!(2), &json!(lsn + 1)));
    let _restored = Daemon::start(&other);
    let mut client = Client::connect(&other);
    for order in &before {
        client.result("order.get", json!({"order_id": order}));
    }
    first["duplicate"] = json!(true);
    assert_eq!(client.result("order.place", command), first, "command ids are in the backup");
    client.place(8);
    let epochs: BTreeSet<u64> = {
        let count = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
        let mut epochs = BTreeSet::new();
        crate::support::eventually(crate::support::DEADLINE, "the new event is delivered", || {
            let events = crate::support::events(&other.path("events.ndjson"));
            epochs = events.iter().map(|event: &Value| event["storeepoch"].as_u64().unwrap()).collect();
            events.last().is_some_and(|event| event["sequence"] == format!("{count:020}"))
        });
        epochs
    };
    assert_eq!(epochs.last(), Some(&2), "events from now on carry the next epoch");
    let dump = orderd(&other, &["dump", "--from", &(lsn + 1).to_string()]).expect(0).stdout;
    assert!(dump.lines().next().unwrap().contains("\"kind\":\"restored\""), "{dump}");
}

#[test]
fn a_stopped_store_and_a_plain_copy_of_it_are_restored_too() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let orders = order_ids(&mut Client::connect(&store), 10);
    events_of(&store, 10);
    daemon.stop();
    backup(&store, "copy").expect(0);
    copy_tree(&store.data_dir(), &store.path("plain"));
    for (name, epoch) in [("copy", 2), ("plain", 2)] {
        let other = Store::new();
        assert_eq!(restore(&store.path(name), &other).expect(0).json()["storeepoch"], epoch);
        restore(&store.path(name), &other).expect(74);
        orderd(&other, &["verify"]).expect(0);
        let mut daemon = Daemon::start(&other);
        let mut client = Client::connect(&other);
        orders.iter().for_each(|order| drop(client.result("order.get", json!({"order_id": order}))));
        daemon.stop();
        // And again: each restore begins another epoch.
        backup(&other, "again").expect(0);
        let third = Store::new();
        assert_eq!(restore(&other.path("again"), &third).expect(0).json()["storeepoch"], epoch + 1);
    }
}

#[test]
fn a_backup_is_never_served_and_never_written_over() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    backup(&store, "copy").expect(0);
    let again = backup(&store, "copy").expect(74);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    daemon.stop();
    let copy = store.path("copy");
    let refused = Store::raw(&format!("[daemon]\ndata_dir = \"{}\"\nsocket = \"s\"\n", copy.display()));
    for manifest in [true, false] {
        if !manifest {
            fs::remove_file(copy.join("manifest.json")).unwrap();
            verify(&store, &copy).expect(65);
            restore(&copy, &Store::new()).expect(65);
        }
        let run = Daemon::refused(&refused).expect(65);
        assert!(run.stderr.contains("restore"), "what would be right is named: {}", run.stderr);
    }
}

#[test]
fn a_damaged_or_unfinished_backup_is_refused() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 5);
    daemon.stop();
    for damage in ["flip", "missing", "unfinished"] {
        let copy = store.path(damage);
        backup(&store, damage).expect(0);
        let segment = fs::read_dir(copy.join("store/journal")).unwrap().next().unwrap().unwrap().path();
        match damage {
            "flip" => flip_byte(&segment, 70),
            "missing" => fs::remove_file(&segment).unwrap(),
            _ => {
                // As a kill leaves it: the mark is there from the first moment on.
                fs::remove_file(copy.join("manifest.json")).unwrap();
                let text = "orderd was making this backup and was not done: orderd backup may replace it\n";
                fs::write(copy.join("UNFINISHED"), text).unwrap();
            }
        }
        verify(&store, &copy).expect(65);
        let other = Store::new();
        restore(&copy, &other).expect(65);
        assert!(!other.data_dir().exists(), "nothing is half there");
        backup(&store, damage).expect(if damage == "unfinished" { 0 } else { 74 });
    }
    verify(&store, &store.path("unfinished")).expect(0);
    // Somebody else's folder is nobody's to replace.
    fs::create_dir(store.path("theirs")).unwrap();
    fs::write(store.path("theirs/UNFINISHED"), "a text of theirs").unwrap();
    backup(&store, "theirs").expect(74);
    assert!(store.path("theirs/UNFINISHED").exists());
}

/// The user and group that own each file and folder.
fn owners(dir: &Path) -> BTreeSet<(u32, u32)> {
    let mut owners = BTreeSet::from([owner(dir)]);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { owners.extend(self::owners(&path)) } else { owners.extend([owner(&path)]) }
    }
    owners
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

#[test]
fn what_root_backs_up_and_restores_belongs_to_the_owner_of_the_store() {
    crate::support::require_root();
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 5);
    daemon.stop();
    let nobody = (65_534, 65_534);
    let mut chown = std::process::Command::new("chown");
    assert!(chown.arg("-R").arg("65534:65534").arg(store.data_dir()).status().unwrap().success());
    backup(&store, "copy").expect(0);
    assert_eq!(owners(&store.path("copy")), BTreeSet::from([nobody]));
    let other = Store::new();
    restore(&store.path("copy"), &other).expect(0);
    assert_eq!(owners(&other.data_dir()), BTreeSet::from([nobody]));
}

#[test]
fn a_backup_that_finds_no_room_leaves_nothing() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 300);
    daemon.stop();
    let copy = store.path("copy");
    // No file may grow beyond a few KiB: as on a full disk, a write fails.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" backup \"$1\"";
    let mut command = std::process::Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_orderd"), copy.to_str().unwrap()]);
    command.env("ORDERD_CONFIG", store.config()).current_dir(store.dir());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!copy.exists());
    backup(&store, "copy").expect(0);
}

#[test]
fn what_others_left_beside_a_backup_or_a_store_stays() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 5);
    daemon.stop();
    let theirs = |name: &str| {
        fs::create_dir(store.path(name)).unwrap();
        fs::write(store.path(name).join("letter"), "theirs").unwrap();
        store.path(name).join("letter")
    };
    let letter = theirs("copy.new-backup");
    let run = backup(&store, "copy").expect(74);
    assert!(run.stderr.contains("copy.new-backup exists already"), "{}", run.stderr);
    assert!(letter.exists() && !store.path("copy").exists());
    fs::remove_dir_all(store.path("copy.new-backup")).unwrap();
    backup(&store, "copy").expect(0);

    let letter = theirs("restored.unfinished-restore");
    let to_restored = ["restore", "copy", "--data-dir", "restored"];
    let run = orderd(&store, &to_restored).expect(74);
    assert!(run.stderr.contains("restored.unfinished-restore exists already"), "{}", run.stderr);
    assert!(letter.exists() && !store.path("restored").exists());
    fs::remove_dir_all(store.path("restored.unfinished-restore")).unwrap();
    orderd(&store, &to_restored).expect(0);
}

#[test]
fn a_backup_is_as_slow_as_it_is_told_to_be_and_says_how_long_it_took() {
    const BYTES_PER_S_MAX: u64 = 30_000;
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 400);
    let copy = store.path("copy");
    let limit = BYTES_PER_S_MAX.to_string();
    let args = ["backup", copy.to_str().unwrap(), "--json", "--bytes-per-s-max", &limit];
    let report = orderd(&store, &args).expect(0).json();
    let (bytes, ms) = (report["bytes"].as_u64().unwrap(), report["duration_ms"].as_u64().unwrap());
    // Cursors and identity, some KiB, are not held to it.
    assert!(bytes > 60_000 && ms * BYTES_PER_S_MAX / 1000 > bytes / 2, "{report}");
    let said = backup(&store, "again").expect(0).stdout;
    assert!(said.contains(" files, in ") && said.contains(" KiB in "), "{said}");
    orderd(&store, &["backup", "third", "--bytes-per-s-max", "1"]).expect(64);
}

#[test]
fn a_backup_shows_its_progress_on_a_terminal_and_nowhere_else() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let _orders = order_ids(&mut Client::connect(&store), 400);
    assert_eq!(backup(&store, "copy").expect(0).stderr, "");
    let command = format!("{} backup shown --bytes-per-s-max 60000", env!("CARGO_BIN_EXE_orderd"));
    let mut script = std::process::Command::new("script");
    script.args(["-qefc", &command, "/dev/null"]).current_dir(store.dir()).env("ORDERD_CONFIG", store.config());
    let output = script.stdin(std::process::Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("KiB/") && shown.contains("backed up store"), "{shown}");
}

#[test]
fn files_of_a_backup_share_their_blocks_where_the_file_system_has_that() {
    let store = Store::raw("[daemon]\ndata_dir = \"disk/data\"\nsocket = \"s\"\n");
    let disk = Mount::new_btrfs(&store.path("image"), &store.path("disk"), 512 << 20);
    let mut daemon = Daemon::start(&store);
    let orders = order_ids(&mut Client::connect(&store), 50);
    daemon.stop();
    let report = orderd(&store, &["backup", "disk/copy", "--json"]).expect(0).json();
    assert_eq!(report["linked_bytes"], 0);
    assert!(report["cloned_bytes"].as_u64().unwrap() > report["bytes"].as_u64().unwrap() / 2, "{report}");
    let said = backup(&store, "disk/again").expect(0).stdout;
    assert!(said.contains("shares its blocks with the store, on the same disk"), "{said}");
    // What is written to the store afterwards is not in the copy.
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    verify(&store, &store.path("disk/copy")).expect(0);
    orderd(&store, &["restore", "disk/copy", "--data-dir", "disk/restored"]).expect(0);
    let verified = verify(&store, &store.path("disk/restored")).expect(0).stdout;
    assert!(verified.contains(&format!("orders: {};", orders.len())), "{verified}");
    disk.unmount();
}
