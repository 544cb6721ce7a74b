//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Target as _, assert_refused, check};

use crate::setup::Redis;

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let checked = check(Redis::BINARY, "url = \"redis://127.0.0.1\"\nstream = \"orders\"\n", &[], &[]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    let out = checked.out;
    assert!(out.contains("ids_max = 1000000") && out.contains("create_stream = true"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let cases = [
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
    ];
    assert_refused(Redis::BINARY, &[], &cases);
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let mut redis = Redis::start(daemon.dir());
    let keys = redis.keys();
    let check = |more: &str| check(Redis::BINARY, &(keys.clone() + more), &[], &["--connect"]);
    check("").assert_taken("the stream orders will be made");
    assert_eq!(check("create_stream = false\n").code, Some(78));
    redis.command::<()>(&["SET", "orders", "x"]);
    assert_eq!(check("").code, Some(78));
    redis.command::<()>(&["DEL", "orders"]);
    redis.command::<()>(&["CONFIG", "SET", "appendonly", "no"]);
    redis.command::<()>(&["XADD", "orders", "*", "event", "x"]);
    check("").assert_taken("1 entries; the server keeps no append-only file");
    redis.server.kill();
    assert_eq!(check("").code, Some(69));
}
