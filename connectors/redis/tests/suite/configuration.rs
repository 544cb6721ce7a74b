//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Program};

use crate::setup::{BINARY, Redis};

fn check(config: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("redis.toml");
    std::fs::write(&file, config).unwrap();
    let config = file.to_str().unwrap();
    let output = Program::run(BINARY, &[&["check", "--config", config], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let (code, out, err) = check("url = \"redis://127.0.0.1\"\nstream = \"orders\"\n", &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("ids_max = 1000000") && out.contains("create_stream = true"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    for (wrong, named) in [
        ("url = \"redis://u:s3cret@host\"\nstream = \"a\"\n", "url"),
        ("url = \"redis://:s3cret@host\"\nstream = \"a\"\n", "url"),
        ("url = \"http://host\"\nstream = \"a\"\n", "url"),
        ("url = \"rediss://host/#insecure\"\nstream = \"a\"\n", "url"),
        ("url = \"redis://u@host\"\nstream = \"a\"\n", "url"),
        ("url = \"redis://host\"\nstream = \"a\"\nca_file = \"ca.pem\"\n", "url"),
        ("url = \"redis://host\"\nstream = \"\"\n", "stream"),
        ("url = \"redis://host\"\nstream = \"a{b\"\n", "stream"),
        ("url = \"redis://host\"\nstream = \"a\"\nids_key = \"b\"\n", "ids_key"),
        ("url = \"redis://host\"\nstream = \"a\"\nids_max = 1\n", "ids_max"),
        ("url = \"redis://host\"\nstream = \"a\"\ncontent_mode = \"binary\"\n", "content_mode"),
        ("url = \"redis://host\"\nstream = \"a\"\npassword_file = \"missing\"\n", "password_file"),
        ("url = \"redis://host\"\nstream = \"a\"\nspeed = 3\n", "speed"),
        ("url = \"redis://host\"\n", "stream"),
    ] {
        let (code, _, err) = check(wrong, &[]);
        assert_eq!(code, Some(78), "{wrong}: {err}");
        assert!(err.contains(named) && !err.contains("s3cret"), "{wrong}: {err}");
    }
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let redis = Redis::start(daemon.dir());
    let (code, out, _) = check(&redis.keys(), &["--connect"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "the stream orders will be made\n");
    let (code, _, err) = check(&(redis.keys() + "create_stream = false\n"), &["--connect"]);
    assert_eq!(code, Some(78), "{err}");
    redis.command::<()>(&["CONFIG", "SET", "appendonly", "no"]);
    redis.command::<()>(&["XADD", "orders", "*", "event", "x"]);
    let (code, out, _) = check(&redis.keys(), &["--connect"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("1 entries") && out.contains("no append-only file"), "{out}");
    redis.command::<()>(&["DEL", "orders"]);
    redis.command::<()>(&["SET", "orders", "x"]);
    let (code, _, err) = check(&redis.keys(), &["--connect"]);
    assert_eq!(code, Some(78), "{err}");
    let keys = redis.keys();
    drop(redis);
    let (code, _, err) = check(&keys, &["--connect"]);
    assert_eq!(code, Some(69), "{err}");
}
