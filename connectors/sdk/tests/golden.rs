//! The official CloudEvents SDK reads the golden files of the bindings that it knows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;

use orderd_sink_testing::python;

/// Decodes the files and fails unless all are the event of the first.
const DECODE: &str = r#"
import json, sys
from cloudevents.core.bindings import http, kafka, rabbitmq
from cloudevents.core.formats.json import JSONFormat
folder = sys.argv[1]
def text(value):
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if hasattr(value, "strftime") else str(value)
def parts(name):
    head, body = open(f"{folder}/{name}.txt", encoding="utf-8").read().split("\n\n", 1)
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    return headers, body.removesuffix("\n").encode()
def decode(binding, mode):
    headers, body = parts(f"{binding}_{mode}")
    if binding == "http":
        event = http.from_http_event(http.HTTPMessage(headers, body))
    elif binding == "kafka":
        encoded = {name: value.encode() for name, value in headers.items()}
        event = kafka.from_kafka_event(kafka.KafkaMessage(encoded, None, body))
    else:
        content_type = headers.pop("content-type")
        event = rabbitmq.from_rabbitmq_event(rabbitmq.RabbitMQMessage(headers, content_type, body))
    return {k: text(v) for k, v in event.get_attributes().items()}, event.get_data()
line = json.loads(parts("http_structured")[1])
data = line.pop("data")
expected = {k: str(v) for k, v in line.items()}, data
for binding in ["http", "kafka", "rabbitmq"]:
    for mode in ["structured", "binary"]:
        decoded = decode(binding, mode)
        assert decoded == expected, f"{binding} {mode}: {decoded} instead of {expected}"
"#;

#[test]
fn the_official_sdk_reads_the_golden_files() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cloudevents/golden");
    let output = Command::new(python(&["cloudevents==2.2.0"])).args(["-c", DECODE, folder]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
