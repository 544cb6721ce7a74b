//! Operators, observers and everybody else. These tests become other users, for which they must be root.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Store, request, require_root, uuid};

const OPERATOR: u32 = 4_000_001;
const OBSERVER: u32 = 4_000_002;
const CLIENT: u32 = 4_000_003;
const STRANGER: u32 = 4_000_004;

/// A store that every user may reach.
fn open_store(daemon_keys: &str) -> Store {
    let store = Store::with(&format!("socket_mode = \"0666\"\n{daemon_keys}"), "");
    std::fs::set_permissions(store.dir(), std::fs::Permissions::from_mode(0o711)).unwrap();
    store
}

/// Sends lines as `uid`, half-closes, and reads to the end: what nc does.
fn ask_as(store: &Store, uid: u32, lines: &[String]) -> Vec<Value> {
    const SCRIPT: &str = "import socket,sys\n\
        s=socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])\n\
        try:\n s.sendall(sys.argv[2].encode()); s.shutdown(socket.SHUT_WR)\n\
        except OSError: pass\n\
        sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(65536), b'')))";
    let mut command = Command::new("python3");
    let output = command.arg("-c").arg(SCRIPT).arg(store.socket()).arg(lines.join("\n") + "\n");
    let output = output.uid(uid).gid(uid).current_dir("/").output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The error codes of the answers, 0 for results.
fn codes(answers: &[Value]) -> Vec<i64> {
    answers.iter().map(|answer| answer["error"]["code"].as_i64().unwrap_or(0)).collect()
}

fn calls() -> Vec<String> {
    let place = json!({"customer_id": uuid(), "total_amount": 1});
    let attach = json!({"sink": "events", "protocol": 1, "program": "p"});
    let calls = [
        ("order.place", place),
        ("daemon.status", json!({})),
        ("sink.list", json!({})),
        ("decision.list", json!({})),
        ("sink.pause", json!({"sink": "events"})),
        ("sink.resume", json!({"sink": "events"})),
        ("sink.attach", attach),
    ];
    calls.iter().map(|(method, params)| request(&json!(1), method, params)).collect()
}

#[test]
fn each_user_may_what_the_configuration_says() {
    require_root();
    let keys = format!("operator_uids = [{OPERATOR}]\nobserver_uids = [{OBSERVER}]");
    let store = open_store(&keys);
    let _daemon = Daemon::start(&store);
    // A file sink is for no program to attach to, which only those hear who may attach to anything.
    assert_eq!(codes(&ask_as(&store, OPERATOR, &calls())), [0, 0, 0, 0, 0, 0, 1203]);
    assert_eq!(codes(&ask_as(&store, 0, &calls())), [0, 0, 0, 0, 0, 0, 1203]);
    assert_eq!(codes(&ask_as(&store, OBSERVER, &calls())), [0, 0, 0, 0, 1104, 1104, 1104]);
    assert_eq!(codes(&ask_as(&store, CLIENT, &calls())), [0, 0, 1104, 1104, 1104, 1104, 1104]);
}

#[test]
fn who_is_on_no_list_is_told_so_once_and_closed() {
    require_root();
    let store = open_store(&format!("allowed_uids = [0, {CLIENT}]\nobserver_uids = [{OBSERVER}]"));
    let _daemon = Daemon::start(&store);
    assert_eq!(codes(&ask_as(&store, CLIENT, &calls()))[..2], [0, 0]);
    assert_eq!(codes(&ask_as(&store, OBSERVER, &calls())), [1104, 1104, 0, 0, 1104, 1104, 1104]);
    let answers = ask_as(&store, STRANGER, &calls());
    assert_eq!(codes(&answers), [1104]);
    assert_eq!(answers[0]["id"], Value::Null);
}

#[test]
fn a_user_is_named_by_name_too() {
    require_root();
    let store = open_store("operator_uids = [\"daemon\"]");
    let _daemon = Daemon::start(&store);
    assert_eq!(codes(&ask_as(&store, 1, &calls())), [0, 0, 0, 0, 0, 0, 1203]);
}
