//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Program};

use crate::setup::{BINARY, Nats};

fn check(config: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nats.toml");
    std::fs::write(&file, config).unwrap();
    let config = file.to_str().unwrap();
    let output = Program::run(BINARY, &[&["check", "--config", config], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const LEAST: &str = "servers = [\"nats://127.0.0.1:4222\"]\nstream = \"ORDERS\"\nsubject = \"orders.{type}\"\n";

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let (code, out, err) = check(LEAST, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("duplicate_window_ms_min = 60000") && out.contains("timeout_ms = 10000"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    for (wrong, named) in [
        ("servers = \"nats://u:s3cret@host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"nats://s3cret@host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"ws://host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = []\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"host\"\nstream = \"A.B\"\nsubject = \"b\"\n", "stream"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b.*\"\n", "subject"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b.{kind}\"\n", "subject"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\nuser = \"u\"\n", "user"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\ntoken_file = \"missing\"\n", "token_file"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\nspeed = 3\n", "speed"),
        ("servers = \"host\"\nstream = \"A\"\n", "subject"),
    ] {
        let (code, _, err) = check(wrong, &[]);
        assert_eq!(code, Some(78), "{wrong}: {err}");
        assert!(err.contains(named) && !err.contains("s3cret"), "{wrong}: {err}");
    }
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let nats = Nats::start(daemon.dir());
    let (code, _, err) = check(&nats.keys(), &["--connect"]);
    assert_eq!(code, Some(78), "{err}");
    assert!(err.contains("not found"), "{err}");
    nats.create_stream();
    let (code, out, _) = check(&nats.keys(), &["--connect"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("ORDERS is there: 0 messages, duplicate window 120 s"), "{out}");
    let keys = nats.keys();
    drop(nats);
    let (code, _, err) = check(&keys, &["--connect"]);
    assert_eq!(code, Some(69), "{err}");
}
