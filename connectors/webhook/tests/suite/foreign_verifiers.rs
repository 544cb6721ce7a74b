//! Other people's code reads what we send: the official verifier of Standard Webhooks and the official CloudEvents SDK.

use std::io::Write as _;
use std::process::{Command, Stdio};

use orderd_sink_testing::{FakeDaemon, Program, event_with, orders, python};
use serde_json::{Value, json};

use crate::support::{BINARY, Endpoint, NEW_SECRET, Reply, Request, SECRET, start};

const PACKAGES: [&str; 2] = ["standardwebhooks==1.1.0", "cloudevents==2.2.0"];

/// Tells for each request whether its signature holds.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
told = json.load(sys.stdin)
def holds(request):
    try:
        Webhook(told["more"]).verify(request["body"], request["headers"])
        return True
    except WebhookVerificationError:
        return False
json.dump([holds(request) for request in told["requests"]], sys.stdout)
"#;

/// Decodes each request as a CloudEvent. Attributes as text: in headers they have no other type.
const DECODE: &str = r#"
import json, sys
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
def text(value):
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if hasattr(value, "strftime") else str(value)
def decode(request):
    event = from_http_event(HTTPMessage(request["headers"], request["body"].encode()))
    return {"attributes": {k: text(v) for k, v in event.get_attributes().items()}, "data": event.get_data()}
json.dump([decode(request) for request in json.load(sys.stdin)["requests"]], sys.stdout)
"#;

/// Runs a script with these requests as JSON on its standard input; it answers with JSON.
fn ask(script: &str, requests: &[Request], more: &str) -> Value {
    let request = |request: &Request| {
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        json!({"headers": Value::Object(headers.collect()), "body": request.body})
    };
    let requests: Vec<Value> = requests.iter().map(request).collect();
    let mut child = Command::new(python(&PACKAGES))
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({"requests": requests, "more": more}).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Which of the requests the official verifier accepts with this secret.
pub fn verified(requests: &[Request], secret: &str) -> Vec<bool> {
    serde_json::from_value(ask(VERIFY, requests, secret)).unwrap()
}

fn lines() -> Vec<String> {
    let mut lines = orders(2);
    let trace =
        r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1,b=%20 x\"y","#;
    lines.push(event_with(7, 7, 1, trace, r#","metadata":{"channel":"größe 😀","n":[1,2.5,null]}"#));
    lines
}

/// What the decoded event has to be.
fn expected(line: &str) -> Value {
    let Value::Object(mut event) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    let data = event.remove("data").unwrap();
    let text = |value: Value| if let Value::String(text) = value { text } else { value.to_string() };
    let attributes: Value = event.into_iter().map(|(name, value)| (name, json!(text(value)))).collect();
    json!({"attributes": attributes, "data": data})
}

#[test]
fn both_content_modes_are_decoded_to_the_event_by_the_official_sdk() {
    for mode in ["structured", "binary"] {
        let (daemon, endpoint, _program) =
            start(|_| Reply::Status(200), &format!("content_mode = \"{mode}\"\nin_flight_max = 1"));
        daemon.publish(lines());
        let requests = endpoint.wait_requests(7);
        let decoded = ask(DECODE, &requests, "");
        let expected: Vec<Value> = lines().iter().map(|line| expected(line)).collect();
        assert_eq!(decoded, Value::Array(expected), "{mode}");
    }
}

#[test]
fn signatures_hold_before_during_and_after_a_rotation() {
    let daemon = FakeDaemon::start();
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    std::fs::write(daemon.dir().join("old"), SECRET).unwrap();
    std::fs::write(daemon.dir().join("new"), format!("{NEW_SECRET}\n")).unwrap();
    let mut sequence = 0;
    for (files, old, new) in [("\"old\"", true, false), ("\"new\", \"old\"", true, true), ("\"new\"", false, true)] {
        let before = endpoint.requests().len();
        let config = format!("url = \"{}\"\nsecret_files = [{files}]\n", endpoint.url());
        let _program = Program::start(BINARY, &daemon, &config);
        daemon.publish((0..3).map(|order| {
            sequence += 1;
            orderd_sink_testing::event(sequence, 10 * sequence + order, 1)
        }));
        daemon.wait_delivered(before + 3);
        let requests = &endpoint.requests()[before..];
        assert_eq!(verified(requests, SECRET), [old; 3], "{files}");
        assert_eq!(verified(requests, NEW_SECRET), [new; 3], "{files}");
        // The first signature is the new secret's.
        let signatures = requests[0].header("webhook-signature").split(' ').count();
        assert_eq!(signatures, files.split(',').count());
    }
}
