//! The official CloudEvents SDK as a judge.

use std::process::Command;

use serde_json::json;

use crate::python::python;

/// A message as a consumer gets it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its headers; of transports where the content type is a header, with it.
    pub headers: Vec<(String, String)>,
    /// The content type, where it is a property of its own.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Received {
    /// The event's id: of the header whose name begins with `attribute`, or else in the body.
    #[must_use]
    pub fn id(&self, attribute: &str) -> String {
        let header = self.headers.iter().find(|(name, _)| name.strip_prefix(attribute) == Some("id"));
        let in_body =
            || serde_json::from_slice::<serde_json::Value>(&self.body).ok()?["id"].as_str().map(str::to_owned);
        header.map(|(_, id)| id.clone()).or_else(in_body).unwrap_or_default()
    }
}

const DECODE: &str = r#"
import json, sys
from cloudevents.core.bindings import http, kafka, rabbitmq
from cloudevents.core.formats.json import JSONFormat

def decoded(transport, message):
    headers, body = dict(message["headers"]), bytes.fromhex(message["body"])
    if transport == "kafka":
        headers = {name: value.encode() for name, value in headers.items()}
        return kafka.from_kafka_event(kafka.KafkaMessage(headers=headers, key=None, value=body))
    if transport == "rabbitmq":
        return rabbitmq.from_rabbitmq_event(
            rabbitmq.RabbitMQMessage(headers=headers, content_type=message["content_type"], body=body))
    # The NATS binding is that of HTTP but for the name of one header.
    if "ce-datacontenttype" in headers:
        headers["content-type"] = headers.pop("ce-datacontenttype")
    return http.from_http_event(http.HTTPMessage(headers=headers, body=body))

def parts(event):
    # In binary mode an integer is its decimal digits.
    return {name: str(value) for name, value in event.get_attributes().items()}, event.get_data()

transport = sys.argv[1]
for case in json.load(sys.stdin):
    expected = JSONFormat().read(None, case["line"])
    found = decoded(transport, case)
    if parts(found) != parts(expected):
        sys.exit(f"{parts(found)}\nis not\n{parts(expected)}")
"#;

/// Checks that PyPI's `cloudevents` reads each message as the event of the line beside it. `transport` is `http`,
/// `kafka`, `rabbitmq` or `nats`.
///
/// # Panics
/// One of them is another event, or none.
pub fn check_cloudevents(transport: &str, messages: &[(Received, String)]) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let cases: Vec<_> = messages
        .iter()
        .map(|(message, line)| {
            let Received { headers, content_type, body } = message;
            json!({"headers": headers, "content_type": content_type, "body": hex(body), "line": line})
        })
        .collect();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let input = dir.path().join("cases.json");
    std::fs::write(&input, json!(cases).to_string()).expect("the cases are written");
    let output = Command::new(python(&["cloudevents==2.2.0"]))
        .args(["-c", DECODE, transport])
        .stdin(std::fs::File::open(&input).expect("the cases"))
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
