//! `check`, with and without brokers.

use orderd_sink_testing::{Target as _, assert_refused, check};
use rdkafka::types::RDKafkaRespErr;

use crate::setup::{Kafka, apart};

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let keys = "bootstrap_servers = \"127.0.0.1:9092\"\ntopic = \"orders\"\n[options]\ncompression.type = \"lz4\"\n";
    let checked = check(Kafka::BINARY, keys, &[], &[]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    let out = checked.out;
    assert!(out.contains("in_flight_max = 1024") && out.contains("lz4"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let with = |more: &str| format!("bootstrap_servers = \"host:9092\"\ntopic = \"t\"\n{more}");
    let cases = [
        (with("").replace("host", "u:s3cret@host"), "bootstrap_servers"),
        (with("").replace("\"host:9092\"", "[]"), "bootstrap_servers"),
        (with("").replace("host:9092", ":9092"), "bootstrap_servers"),
        (with("").replace("9092", "99999"), "bootstrap_servers"),
        (with("").replace("\"t\"", "\"a b\""), "topic"),
        (with("user = \"u\"\n"), "user"),
        (with("password_file = \"missing\"\n"), "password_file"),
        (with("user = \"u\"\npassword_file = \"missing\"\n"), "sasl.mechanism"),
        (with("speed = 3\n"), "speed"),
        (with("[options]\n\"acks\" = 1\n"), "options.acks"),
        (with("[options]\n\"enable.idempotence\" = false\n"), "options.enable.idempotence"),
        (with("[options]\nenable.idempotence = false\n"), "options.enable.idempotence"),
        (with("[options]\n\"max.in.flight\" = 6\n"), "options.max.in.flight"),
        (with("[options]\n\"message.timeout.ms\" = 6\n"), "options.message.timeout.ms"),
        (with("[options]\n\"sasl.password\" = \"s3cret\"\n"), "options.sasl.password"),
        (with("[options]\n\"no.such.setting\" = 6\n"), "options.no.such.setting"),
        (with("[options]\n\"linger.ms\" = \"long\"\n"), "options.linger.ms"),
        (with("[options]\n\"security.protocol\" = \"SASL_SSL\"\n\"sasl.mechanism\" = \"NONE\"\n"), "options"),
        ("bootstrap_servers = \"host\"\n".to_owned(), "topic"),
    ];
    assert_refused(Kafka::BINARY, &[], &cases);
}

#[test]
fn check_connect_asks_the_brokers() {
    apart("configuration::check_connect_asks_the_brokers", || {
        let kafka = Kafka::start();
        let keys = kafka.keys() + "timeout_ms = 2000\n";
        let check = || check(Kafka::BINARY, &keys, &[], &["--connect"]);
        kafka.cluster.topic_error("orders", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
        assert_eq!(check().code, Some(78));
        kafka.cluster.topic_error("orders", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
        check().assert_taken("the topic orders is there: 4 partitions");
        (1..=3).for_each(|broker| kafka.cluster.broker_down(broker).unwrap());
        assert_eq!(check().code, Some(69));
    });
}
