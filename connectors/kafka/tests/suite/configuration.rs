//! `check`, with and without brokers.

use orderd_sink_testing::Program;
use rdkafka::types::RDKafkaRespErr;

use crate::setup::{BINARY, Kafka};

fn check(config: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kafka.toml");
    std::fs::write(&file, config).unwrap();
    let config = file.to_str().unwrap();
    let output = Program::run(BINARY, &[&["check", "--config", config], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_prints_the_configuration_with_its_defaults() {
    let keys = "bootstrap_servers = \"127.0.0.1:9092\"\ntopic = \"orders\"\n[options]\ncompression.type = \"lz4\"\n";
    let (code, out, err) = check(keys, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("in_flight_max = 1024") && out.contains("lz4"), "{out}");
}

#[test]
fn a_wrong_key_is_named_and_a_secret_is_not_repeated() {
    let with = |more: &str| format!("bootstrap_servers = \"host:9092\"\ntopic = \"t\"\n{more}");
    for (wrong, named) in [
        (with("").replace("host", "u:s3cret@host"), "bootstrap_servers"),
        (with("").replace("\"host:9092\"", "[]"), "bootstrap_servers"),
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
    ] {
        let (code, _, err) = check(&wrong, &[]);
        assert_eq!(code, Some(78), "{wrong}: {err}");
        assert!(err.contains(named) && !err.contains("s3cret"), "{wrong}: {err}");
    }
}

#[test]
fn check_connect_asks_the_brokers() {
    let kafka = Kafka::start();
    let (code, out, err) = check(&kafka.keys(), &["--connect"]);
    assert_eq!((code, out.as_str()), (Some(0), "the topic orders is there: 4 partitions\n"), "{err}");
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.cluster.topic_error("orders", unknown).unwrap();
    let (code, _, err) = check(&kafka.keys(), &["--connect"]);
    assert_eq!(code, Some(78), "{err}");
    let keys = format!("{}timeout_ms = 1000\n", kafka.keys());
    drop(kafka);
    let (code, _, err) = check(&keys, &["--connect"]);
    assert_eq!(code, Some(69), "{err}");
}
