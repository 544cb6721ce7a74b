//! What comes beside a command and belongs to its event.

use serde_json::json;

use super::call::{Call, Limits};
use super::jsonrpc::{Incoming, read};
use super::rpc_error::ErrorKind;
use crate::contracts::{ChangeRequest, Request};
use crate::domain::EventContext;

const A: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const BYTES_MAX: usize = 60;

/// The context of a command with these further params, or the message of its refusal.
fn context(method: &str, more: &str) -> Result<Option<EventContext>, String> {
    let own = if method == "order.place" {
        format!(r#""customer_id":"{A}","total_amount":1"#)
    } else {
        format!(r#""order_id":"{A}""#)
    };
    let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{own}{more}}}}}"#);
    match read(line.as_bytes(), &Limits::of_metadata(BYTES_MAX)) {
        Incoming::Call { call: Call::Execute(Request::Change(ChangeRequest { context, .. })), .. } => {
            Ok(context.map(|context| *context))
        }
        Incoming::Refused { error, .. } => {
            assert_eq!(error.kind, ErrorKind::InvalidParams, "{line}");
            Err(error.message.into_owned())
        }
        other @ Incoming::Call { .. } => panic!("{line} is {other:?}"),
    }
}

#[test]
fn every_change_takes_metadata_and_trace_context() {
    for method in ["order.place", "order.complete", "order.cancel"] {
        assert_eq!(context(method, ""), Ok(None));
        let more = format!(r#","metadata":{{ "a" : [1, 2] }},"traceparent":"{PARENT}","tracestate":"k=v""#);
        let expected = EventContext {
            metadata: Some(r#"{"a":[1,2]}"#.into()),
            traceparent: Some(PARENT.into()),
            tracestate: Some("k=v".into()),
        };
        assert_eq!(context(method, &more), Ok(Some(expected)));
    }
    assert!(context("order.get", r#","metadata":{}"#).is_err_and(|problem| problem.contains("unknown param")));
}

#[test]
fn the_size_of_metadata_counts_as_sent() {
    let most = BYTES_MAX - r#"{"a":""}"#.len();
    let text = format!(r#","metadata":{{"a":"{}"}}"#, "x".repeat(most));
    assert!(context("order.place", &text).is_ok());
    for text in [text.replace("\"a\"", "\"aa\""), text.replace(':', ": ")] {
        assert!(context("order.place", &text).is_err_and(|problem| problem.contains("60 bytes")), "{text}");
    }
}

#[test]
fn what_is_no_metadata_or_trace_context_is_refused_by_name() {
    let cases = [
        (json!({"metadata": []}), "metadata must be a JSON object"),
        (json!({"metadata": "{}"}), "got a string"),
        (json!({"metadata": null}), "got null"),
        (json!({"traceparent": 5}), "traceparent must be"),
        (json!({"traceparent": "00-0-0-00"}), "traceparent must be"),
        (json!({"traceparent": PARENT, "tracestate": "K=v"}), "tracestate must be"),
        (json!({"tracestate": "k=v"}), "traceparent, which is missing"),
    ];
    for (params, says) in cases {
        let text = params.to_string();
        let more = format!(",{}", text.trim_start_matches('{').trim_end_matches('}'));
        let more = if text.contains("\"{}\"") { r#","metadata":"{}""#.to_owned() } else { more };
        assert!(context("order.complete", &more).as_ref().is_err_and(|problem| problem.contains(says)), "{more}");
    }
    let twice = context("order.place", r#","metadata":{"a":1,"\u0061":2}"#);
    assert!(twice.is_err_and(|problem| problem.contains("a name twice")));
}
