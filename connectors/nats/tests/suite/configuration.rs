//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Target as _, assert_refused, check};

use crate::setup::Nats;

const LEAST: &str = "servers = [\"nats://127.0.0.1:4222\"]\nstream = \"ORDERS\"\nsubject = \"orders.{type}\"\n";

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let checked = check(Nats::BINARY, LEAST, &[], &[]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    let out = checked.out;
    assert!(out.contains("duplicate_window_ms_min = 60000") && out.contains("timeout_ms = 10000"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let cases = [
        ("servers = \"nats://u:s3cret@host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"nats://s3cret@host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"ws://host\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"nats://a,nats://b\"\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\nca_file = \"connector.toml\"\n", "ca_file"),
        ("servers = []\nstream = \"A\"\nsubject = \"b\"\n", "servers"),
        ("servers = \"host\"\nstream = \"A.B\"\nsubject = \"b\"\n", "stream"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b.*\"\n", "subject"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b.{kind}\"\n", "subject"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\nuser = \"u\"\n", "user"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\ntoken_file = \"missing\"\n", "token_file"),
        ("servers = \"host\"\nstream = \"A\"\nsubject = \"b\"\nspeed = 3\n", "speed"),
        ("servers = \"host\"\nstream = \"A\"\n", "subject"),
    ];
    assert_refused(Nats::BINARY, &[], &cases);
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let mut nats = Nats::start(daemon.dir());
    let keys = nats.keys();
    let check = || check(Nats::BINARY, &keys, &[], &["--connect"]);
    assert_eq!(check().code, Some(78));
    nats.create_stream();
    check().assert_taken("ORDERS is there: 0 messages, duplicate window 120 s");
    nats.server.kill();
    assert_eq!(check().code, Some(69));
}
