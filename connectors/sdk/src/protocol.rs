//! The lines of the attach protocol: JSON-RPC 2.0, one message a line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::{Event, EventError, HandOut};

/// The protocol that this program speaks.
const PROTOCOL: u32 = 1;

/// The most tags that one `delivered` may hold.
pub(crate) const TAGS_MAX: usize = 1_000;

/// The answer to `sink.attach`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Attached {
    pub(crate) acked_sequence: u64,
    pub(crate) storeepoch: u64,
    pub(crate) in_flight_max: u64,
}

/// The daemon's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) data: RefusalData,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RefusalData {
    pub(crate) kind: String,
    pub(crate) retryable: bool,
}

/// A notification from the daemon.
#[derive(Debug)]
pub(crate) enum FromDaemon {
    Event(Event),
    Closing {
        kind: String,
        message: String,
    },
    /// One that this version does not know.
    Unknown(String),
}

/// A line that is not of the protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("not a message of the attach protocol: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("an answer without result and error")]
    Empty,
}

/// The request that begins a session.
pub(crate) fn attach_request(sink: &str, program: &str, in_flight_max: usize) -> String {
    #[derive(Serialize)]
    struct Params<'a> {
        sink: &'a str,
        protocol: u32,
        program: &'a str,
        in_flight_max: usize,
    }
    let params = Params { sink, protocol: PROTOCOL, program, in_flight_max };
    line(&serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "sink.attach", "params": params}))
}

/// The answer to [`attach_request`].
pub(crate) fn attach_answer(line: &[u8]) -> Result<Result<Attached, Refusal>, ProtocolError> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<Attached>,
        error: Option<Refusal>,
    }
    match serde_json::from_slice(line)? {
        Answer { result: Some(attached), error: None } => Ok(Ok(attached)),
        Answer { error: Some(refusal), .. } => Ok(Err(refusal)),
        Answer { result: None, error: None } => Err(ProtocolError::Empty),
    }
}

/// A line of an attached connection.
pub(crate) fn notification(line: &[u8]) -> Result<FromDaemon, ProtocolError> {
    #[derive(Deserialize)]
    struct Notification<'l> {
        #[serde(borrow)]
        method: Cow<'l, str>,
        #[serde(borrow)]
        params: &'l RawValue,
    }
    #[derive(Deserialize)]
    struct Closing {
        kind: String,
        message: String,
    }
    let Notification { method, params } = serde_json::from_slice(line)?;
    match &*method {
        "event" => Ok(FromDaemon::Event(serde_json::from_str::<HandOut<'_>>(params.get())?.into_event()?)),
        "closing" => {
            let Closing { kind, message } = serde_json::from_str(params.get())?;
            Ok(FromDaemon::Closing { kind, message })
        }
        unknown => Ok(FromDaemon::Unknown(unknown.to_owned())),
    }
}

/// Outcomes as notifications, a line each.
#[derive(Debug, Serialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub(crate) enum ToDaemon<'a> {
    Delivered {
        tags: &'a [u64],
    },
    Failed {
        tag: u64,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Rejected {
        tag: u64,
        reason: &'a str,
    },
    Unavailable {
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        blocked: bool,
    },
}

impl ToDaemon<'_> {
    /// Its line.
    pub(crate) fn line(&self) -> String {
        #[derive(Serialize)]
        struct Notification<'a> {
            jsonrpc: &'static str,
            #[serde(flatten)]
            message: &'a ToDaemon<'a>,
        }
        line(&Notification { jsonrpc: "2.0", message: self })
    }
}

fn line<T: Serialize>(message: &T) -> String {
    // Numbers, texts and maps with text keys: nothing in them can fail to become JSON.
    serde_json::to_string(message).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_line() {
        let lines: String = [
            ToDaemon::Delivered { tags: &[1, 2] },
            ToDaemon::Failed { tag: 3, reason: "a\"b", retry_after_ms: Some(50) },
            ToDaemon::Failed { tag: 3, reason: "x", retry_after_ms: None },
            ToDaemon::Rejected { tag: 4, reason: "y" },
            ToDaemon::Unavailable { reason: "z", retry_after_ms: None, blocked: true },
            ToDaemon::Unavailable { reason: "z", retry_after_ms: Some(1), blocked: false },
        ]
        .iter()
        .map(ToDaemon::line)
        .collect();
        assert_eq!(
            lines,
            r#"{"jsonrpc":"2.0","method":"delivered","params":{"tags":[1,2]}}
{"jsonrpc":"2.0","method":"failed","params":{"tag":3,"reason":"a\"b","retry_after_ms":50}}
{"jsonrpc":"2.0","method":"failed","params":{"tag":3,"reason":"x"}}
{"jsonrpc":"2.0","method":"rejected","params":{"tag":4,"reason":"y"}}
{"jsonrpc":"2.0","method":"unavailable","params":{"reason":"z","blocked":true}}
{"jsonrpc":"2.0","method":"unavailable","params":{"reason":"z","retry_after_ms":1}}
"#
        );
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let event = r#"{"specversion":"1.0", "id":"i","source":"/o","type":"OrderPlaced","subject":"p","time":"t","partitionkey":"p","sequence":"00000000000000000007","orderversion":1,"data":{"ä":1.50}}"#;
        let line = format!(
            r#"{{"jsonrpc":"2.0","method":"event","params":{{"tag":3,"attempt":2,"event":{event},"replay":"r"}}}}"#
        );
        let FromDaemon::Event(read) = notification(line.as_bytes()).unwrap() else { panic!("not an event") };
        assert_eq!(read.line, event.as_bytes());
        assert_eq!((read.tag, read.attempt, read.sequence, read.order_version), (3, 2, 7, 1));
        assert_eq!(
            (read.replay.as_deref(), &*read.id, &*read.kind, &*read.order_id),
            (Some("r"), "i", "OrderPlaced", "p")
        );
    }

    #[test]
    fn a_refusal_says_whether_to_come_again() {
        let line = br#"{"jsonrpc":"2.0","id":1,"error":{"code":1202,"message":"m","data":{"kind":"sink_attached","retryable":true}}}"#;
        let refusal = attach_answer(line).unwrap().unwrap_err();
        assert!(refusal.data.retryable && refusal.data.kind == "sink_attached");
        let line =
            br#"{"jsonrpc":"2.0","id":1,"result":{"sink":"s","acked_sequence":4,"storeepoch":1,"in_flight_max":8}}"#;
        assert_eq!(attach_answer(line).unwrap().unwrap().acked_sequence, 4);
    }
}
