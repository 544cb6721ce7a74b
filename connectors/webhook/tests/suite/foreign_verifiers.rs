//! Other people's code reads what we send: the official verifier of Standard Webhooks and the official CloudEvents SDK.

use std::io::Write as _;
use std::process::{Command, Stdio};

use orderd_sink_testing::scenarios::the_official_sdk_reads;
use orderd_sink_testing::{FakeDaemon, Program, event, python};
use serde_json::{Value, json};

use crate::support::{BINARY, Endpoint, NEW_SECRET, Receiver, Reply, Request, SECRET};

/// Tells for each request whether its signature holds.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
told = json.load(sys.stdin)
def holds(request):
    try:
        Webhook(told["secret"]).verify(request["body"], request["headers"])
        return True
    except WebhookVerificationError:
        return False
json.dump([holds(request) for request in told["requests"]], sys.stdout)
"#;

/// Which of the requests the official verifier accepts with this secret.
pub fn verified(requests: &[Request], secret: &str) -> Vec<bool> {
    let request = |request: &Request| {
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        json!({"headers": Value::Object(headers.collect()), "body": request.body})
    };
    let requests: Vec<Value> = requests.iter().map(request).collect();
    let mut verifier = Command::new(python(&["standardwebhooks==1.1.0"]));
    let mut child = verifier.args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = json!({"requests": requests, "secret": secret}).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn both_content_modes_are_decoded_to_the_event_by_the_official_sdk() {
    the_official_sdk_reads(&Receiver::start(), "http", &["structured", "binary"], "ce-");
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
            event(sequence, 10 * sequence + order, 1)
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
