//! `check`, with and without the server.

use orderd_sink_testing::{FakeDaemon, Target as _, assert_refused, check};

use crate::setup::RabbitMq;

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let least = "url = \"amqp://127.0.0.1/%2f\"\nexchange = \"orders\"\nrouting_key = \"orders.{type}\"\n";
    let checked = check(RabbitMq::BINARY, least, &[], &[]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    let out = checked.out;
    assert!(out.contains("in_flight_max = 512") && out.contains("timeout_ms = 10000"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let with = |url: &str, more: &str| format!("url = \"{url}\"\nexchange = \"e\"\nrouting_key = \"k\"\n{more}");
    let cases = [
        (with("amqp://u:s3cret@host/%2f", ""), "url"),
        (with("http://host", ""), "url"),
        (with("amqp://u@host", ""), "url"),
        (with("amqp://host", "ca_file = \"ca.pem\"\n"), "url"),
        (with("amqp://host", "password_file = \"missing\"\n"), "password_file"),
        (with("amqp://host", "speed = 3\n"), "speed"),
        (with("amqp://host", "").replace("\"k\"", "\"{kind}\""), "routing_key"),
        (with("amqp://host", "").replace("\"e\"", &format!("{:?}", "x".repeat(300))), "exchange"),
        ("url = \"amqp://host\"\nrouting_key = \"k\"\n".to_owned(), "exchange"),
    ];
    assert_refused(RabbitMq::BINARY, &[], &cases);
}

#[test]
fn check_connect_asks_the_server() {
    let daemon = FakeDaemon::away();
    let mut rabbitmq = RabbitMq::start(daemon.dir());
    let keys = rabbitmq.keys();
    let check = || check(RabbitMq::BINARY, &keys, &[], &["--connect"]);
    assert_eq!(check().code, Some(78));
    rabbitmq.declare();
    check().assert_taken("the exchange orders is there");
    rabbitmq.server.kill();
    assert_eq!(check().code, Some(69));
}
