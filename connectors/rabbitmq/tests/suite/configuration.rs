//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Program};

use crate::setup::{BINARY, RabbitMq};

fn check(config: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rabbitmq.toml");
    std::fs::write(&file, config).unwrap();
    let config = file.to_str().unwrap();
    let output = Program::run(BINARY, &[&["check", "--config", config], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let least = "url = \"amqp://127.0.0.1/%2f\"\nexchange = \"orders\"\nrouting_key = \"orders.{type}\"\n";
    let (code, out, err) = check(least, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("in_flight_max = 512") && out.contains("timeout_ms = 10000"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let with = |url: &str, more: &str| format!("url = \"{url}\"\nexchange = \"e\"\nrouting_key = \"k\"\n{more}");
    for (wrong, named) in [
        (with("amqp://u:s3cret@host/%2f", ""), "url"),
        (with("http://host", ""), "url"),
        (with("amqp://u@host", ""), "url"),
        (with("amqp://host", "ca_file = \"ca.pem\"\n"), "url"),
        (with("amqp://host", "password_file = \"missing\"\n"), "password_file"),
        (with("amqp://host", "speed = 3\n"), "speed"),
        (with("amqp://host", "").replace("\"k\"", "\"{kind}\""), "routing_key"),
        (with("amqp://host", "").replace("\"e\"", &format!("{:?}", "x".repeat(300))), "exchange"),
        ("url = \"amqp://host\"\nrouting_key = \"k\"\n".to_owned(), "exchange"),
    ] {
        let (code, _, err) = check(&wrong, &[]);
        assert_eq!(code, Some(78), "{wrong}: {err}");
        assert!(err.contains(named) && !err.contains("s3cret"), "{wrong}: {err}");
    }
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let rabbitmq = RabbitMq::start(daemon.dir());
    let (code, _, err) = check(&rabbitmq.keys(), &["--connect"]);
    assert_eq!(code, Some(78), "{err}");
    rabbitmq.declare();
    let (code, out, err) = check(&rabbitmq.keys(), &["--connect"]);
    assert_eq!((code, out.as_str()), (Some(0), "the exchange orders is there\n"), "{err}");
    let keys = rabbitmq.keys();
    drop(rabbitmq);
    let (code, _, err) = check(&keys, &["--connect"]);
    assert_eq!(code, Some(69), "{err}");
}
