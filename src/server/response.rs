//! Answers as lines, written straight into the buffer they are sent from.

use serde::Serialize;

use super::rpc_error::{ErrorKind, RpcError};
use crate::contracts::{Lsn, write_order};
use crate::domain::OrderState;

/// What an answer with an order takes at most, its id not counted.
const ANSWER_BYTES: usize = 448;

/// The answer to a command that changed an order, or had done so before.
pub(super) fn write_changed(out: &mut Vec<u8>, id: &str, order: &OrderState, lsn: Lsn, duplicate: bool) {
    begin_result(out, id);
    out.extend_from_slice(b"{\"order\":");
    write_order(out, order);
    out.extend_from_slice(b",\"lsn\":");
    write_integer(out, lsn.0);
    out.extend_from_slice(if duplicate { b",\"duplicate\":true}}\n" } else { b",\"duplicate\":false}}\n" });
}

/// The answer that shows an order.
pub(super) fn write_found(out: &mut Vec<u8>, id: &str, order: &OrderState) {
    begin_result(out, id);
    out.extend_from_slice(b"{\"order\":");
    write_order(out, order);
    out.extend_from_slice(b"}}\n");
}

/// An answer of which only the result's own form is known.
pub(super) fn write_result(out: &mut Vec<u8>, id: &str, result: &impl Serialize) {
    match serde_json::to_vec(result) {
        Ok(json) => {
            begin_result(out, id);
            out.extend_from_slice(&json);
            out.extend_from_slice(b"}\n");
        }
        Err(error) => write_error(out, id, &RpcError::new(ErrorKind::InternalError, error.to_string())),
    }
}

/// The answer that refuses.
pub(super) fn write_error(out: &mut Vec<u8>, id: &str, error: &RpcError) {
    let wire = error.kind.wire();
    begin(out, id);
    out.extend_from_slice(b",\"error\":{\"code\":");
    write_integer(out, wire.code);
    out.extend_from_slice(b",\"message\":");
    // Only a failing writer or a failing `Serialize` could fail here, and neither a Vec nor a str does.
    if serde_json::to_writer(&mut *out, &*error.message).is_err() {
        out.extend_from_slice(b"\"\"");
    }
    out.extend_from_slice(b",\"data\":{\"kind\":\"");
    out.extend_from_slice(wire.kind.as_bytes());
    out.extend_from_slice(if wire.retryable { b"\",\"retryable\":true}}}\n" } else { b"\",\"retryable\":false}}}\n" });
}

fn begin(out: &mut Vec<u8>, id: &str) {
    // Most answers are shorter; making room once is cheaper than looking for it at each piece.
    out.reserve(ANSWER_BYTES + id.len());
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
}

fn begin_result(out: &mut Vec<u8>, id: &str) {
    begin(out, id);
    out.extend_from_slice(b",\"result\":");
}

fn write_integer(out: &mut Vec<u8>, value: impl Serialize) {
    // As above: a Vec takes everything.
    let written = serde_json::to_writer(&mut *out, &value);
    debug_assert!(written.is_ok(), "integers are written into memory");
}

#[cfg(test)]
#[path = "response_test.rs"]
mod tests;
