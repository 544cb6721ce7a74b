//! What the target's answers mean. docs/connectors/redis.md has the table.

use orderd_sink::{Outcome, Unavailable};
use redis::{ErrorKind, RedisError};

use crate::script::NO_STREAM;

/// The server's answer to one event, when it is an error.
pub(crate) fn of_reply(error: &RedisError) -> Outcome {
    let reason = error.to_string();
    match error.code() {
        Some("BUSY" | "LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY") => {
            Outcome::unavailable(reason)
        }
        Some("OOM" | "MISCONF" | "NOREPLICAS" | "MOVED" | "ASK") => Outcome::unavailable(reason),
        Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE" | "CROSSSLOT" | "DENIED" | NO_STREAM) => {
            Outcome::blocked(reason)
        }
        _ if reason.contains("OOM command not allowed") => Outcome::unavailable(reason),
        _ if is_too_large(&reason) => Outcome::rejected(reason),
        _ if needs_operator(&reason) => Outcome::blocked(reason),
        _ => Outcome::failed(reason),
    }
}

/// `proto-max-bulk-len`, or an entry that no stream holds.
fn is_too_large(reason: &str) -> bool {
    reason.contains("invalid bulk length") || reason.contains("too large to be stored")
}

/// Errors that older servers give the general code, and those that a script passes on.
fn needs_operator(reason: &str) -> bool {
    let signs =
        ["WRONGTYPE", "NOPERM", "ACL failure", "unknown command", "not allowed to", "not permitted", "no permission"];
    signs.iter().any(|sign| reason.contains(sign))
}

/// A connection that did not come about, or was lost.
pub(crate) fn of_connection(error: &RedisError) -> Unavailable {
    let reason = error.to_string();
    let kind = error.kind();
    if matches!(kind, ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig) || is_certificate(error) {
        return Unavailable::blocked(reason);
    }
    if kind == ErrorKind::Io {
        return Unavailable::passing(reason);
    }
    match of_reply(error) {
        Outcome::Unavailable(unavailable) => unavailable,
        Outcome::Failed { .. } | Outcome::Rejected { .. } | Outcome::Delivered => Unavailable::passing(reason),
    }
}

/// The client does not let us see the cause; its text is that of rustls.
fn is_certificate(error: &RedisError) -> bool {
    let text = error.to_string();
    text.contains("invalid peer certificate") || text.contains("received fatal alert")
}
