//! The lines of an attached connection: notifications, each a line of JSON-RPC 2.0.
//!
//! ```text
//! to the program     {"jsonrpc":"2.0","method":"event","params":{"tag":1,"attempt":1,"event":{…}}}
//!                    {"jsonrpc":"2.0","method":"closing","params":{"kind":"taken_over","message":"…"}}
//! from the program   {"jsonrpc":"2.0","method":"delivered","params":{"tags":[1,2,3]}}
//!                    {"jsonrpc":"2.0","method":"failed","params":{"tag":4,"reason":"…","retry_after_ms":500}}
//!                    {"jsonrpc":"2.0","method":"rejected","params":{"tag":5,"reason":"…"}}
//!                    {"jsonrpc":"2.0","method":"unavailable","params":{"reason":"…","retry_after_ms":500,"blocked":true}}
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::relay::scheduler::Tag;

/// What is kept of a reason.
const REASON_CHARS_MAX: usize = 500;

/// What a program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// The target has these for good.
    Delivered(Vec<Tag>),
    /// This one did not go through; again later.
    Failed {
        /// Which one.
        tag: Tag,
        /// Why.
        reason: Arc<str>,
        /// When it may be tried again at the earliest.
        retry_after: Option<Duration>,
    },
    /// This one never will.
    Rejected {
        /// Which one.
        tag: Tag,
        /// Why.
        reason: Arc<str>,
    },
    /// The target as a whole took nothing of what is unanswered.
    Unavailable {
        /// Why.
        reason: Arc<str>,
        /// When it may be tried again at the earliest.
        retry_after: Option<Duration>,
        /// Whether an operator has to mend it.
        blocked: bool,
    },
}

/// Why the daemon closes an attached connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingKind {
    /// The daemon stops.
    ShuttingDown,
    /// Another program has taken the sink over.
    TakenOver,
    /// A line was wrong.
    ProtocolError,
    /// An outcome came too late.
    AnswerTimeout,
    /// The sink was forgotten.
    Forgotten,
}

impl ClosingKind {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutting_down",
            Self::TakenOver => "taken_over",
            Self::ProtocolError => "protocol_error",
            Self::AnswerTimeout => "answer_timeout",
            Self::Forgotten => "forgotten",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    jsonrpc: &'a RawValue,
    #[serde(borrow)]
    method: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivered {
    tags: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    tag: u64,
    reason: String,
    #[serde(default, deserialize_with = "given")]
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    tag: u64,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unavailable {
    reason: String,
    #[serde(default, deserialize_with = "given")]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    blocked: bool,
}

/// What may be left out, and is not null where it is given.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

/// Reads a line without its end; a `delivered` has at most `tags_max` tags.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn parse(line: &[u8], tags_max: usize) -> Result<Notification, String> {
    const WANTED: &str = r#"an attached connection takes {"jsonrpc":"2.0","method":…,"params":{…}} without an id"#;
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| format!("{error}; {WANTED}"))?;
    if line.jsonrpc.get() != r#""2.0""# {
        return Err(format!("jsonrpc is not \"2.0\"; {WANTED}"));
    }
    let params = line.params;
    match &*line.method {
        "delivered" => {
            let Delivered { tags } = read("delivered", params, "tags")?;
            if tags.len() > tags_max {
                return Err(format!("delivered: takes at most {tags_max} tags, and here are {}", tags.len()));
            }
            Ok(Notification::Delivered(tags.into_iter().map(Tag).collect()))
        }
        "failed" => {
            let failed: Failed = read("failed", params, "tag, reason and retry_after_ms?")?;
            let retry_after = failed.retry_after_ms.map(Duration::from_millis);
            Ok(Notification::Failed { tag: Tag(failed.tag), reason: shortened(&failed.reason), retry_after })
        }
        "rejected" => {
            let rejected: Rejected = read("rejected", params, "tag and reason")?;
            Ok(Notification::Rejected { tag: Tag(rejected.tag), reason: shortened(&rejected.reason) })
        }
        "unavailable" => {
            let unavailable: Unavailable = read("unavailable", params, "reason, retry_after_ms? and blocked?")?;
            let Unavailable { reason, retry_after_ms, blocked } = unavailable;
            let retry_after = retry_after_ms.map(Duration::from_millis);
            Ok(Notification::Unavailable { reason: shortened(&reason), retry_after, blocked })
        }
        _ => Err("unknown method; an attached program says delivered, failed, rejected or unavailable".to_owned()),
    }
}

fn read<'a, T: Deserialize<'a>>(method: &str, params: &'a RawValue, takes: &str) -> Result<T, String> {
    // A struct may also be written as an array, which the protocol does not know.
    if !params.get().starts_with('{') {
        return Err(format!("{method}: params is not an object; it takes {takes}"));
    }
    serde_json::from_str(params.get()).map_err(|error| format!("{method}: {error}; it takes {takes}"))
}

fn shortened(reason: &str) -> Arc<str> {
    let end = reason.char_indices().nth(REASON_CHARS_MAX).map_or(reason.len(), |(end, _)| end);
    Arc::from(reason.get(..end).unwrap_or_default())
}

/// Appends the beginning of an `event` line; the event itself and [`end_event`] follow.
pub fn begin_event(out: &mut Vec<u8>, tag: Tag, attempt: u32) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"event","params":{"tag":"#);
    put_number(out, tag.0);
    out.extend_from_slice(br#","attempt":"#);
    put_number(out, u64::from(attempt));
    out.extend_from_slice(br#","event":"#);
}

/// Appends the end of an `event` line.
pub fn end_event(out: &mut Vec<u8>, replay: Option<Uuid>) {
    if let Some(replay_id) = replay {
        let mut text = [0; 36];
        out.extend_from_slice(br#","replay":""#);
        out.extend_from_slice(replay_id.hyphenated().encode_lower(&mut text).as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}}\n");
}

/// Appends a `closing` line.
pub fn closing(out: &mut Vec<u8>, kind: ClosingKind, message: &str) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"closing","params":{"kind":""#);
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(br#"","message":"#);
    put_text(out, message);
    out.extend_from_slice(b"}}\n");
}

/// What `sink.attach` is answered.
#[derive(Debug, Serialize)]
pub struct Attached<'a> {
    /// The sink.
    pub sink: &'a str,
    /// Every event up to this one is settled.
    pub acked_sequence: u64,
    /// The store's epoch.
    pub storeepoch: u32,
    /// How many events may be unanswered.
    pub in_flight_max: usize,
}

/// Appends the answer to the request of this id.
pub fn attached(out: &mut Vec<u8>, id: &str, attached: &Attached<'_>) {
    begin_answer(out, id);
    out.extend_from_slice(br#","result":"#);
    // Writing a struct of numbers and a name into memory does not fail.
    serde_json::to_writer(&mut *out, attached).ok();
    out.extend_from_slice(b"}\n");
}

/// Why an attach is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachRefusal {
    /// Another program has the sink.
    SinkAttached,
    /// The daemon stops.
    ShuttingDown,
    /// Another daemon relays the sink.
    NotTheRelay,
}

/// Appends the refusal of the request of this id.
pub fn refused(out: &mut Vec<u8>, id: &str, refusal: AttachRefusal, message: &str) {
    let (code, kind) = match refusal {
        AttachRefusal::SinkAttached => ("1202", "sink_attached"),
        AttachRefusal::ShuttingDown => ("1102", "shutting_down"),
        AttachRefusal::NotTheRelay => ("1209", "not_the_relay"),
    };
    begin_answer(out, id);
    out.extend_from_slice(br#","error":{"code":"#);
    out.extend_from_slice(code.as_bytes());
    out.extend_from_slice(br#","message":"#);
    put_text(out, message);
    out.extend_from_slice(br#","data":{"kind":""#);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"retryable\":true}}}\n");
}

fn begin_answer(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory does not fail.
    serde_json::to_writer(out, text).ok();
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
#[path = "protocol_test.rs"]
mod tests;
