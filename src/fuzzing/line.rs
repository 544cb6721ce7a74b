//! A line of a client.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

use crate::contracts::{ChangeRequest, Command, Request};
use crate::server::fuzz_seam::{ReadLine, read_line};

/// A line is JSON exactly if serde_json says so; a command that was read is the same when it is written plainly and
/// read again; an answer's id is JSON.
pub fn line(data: &[u8]) {
    let line = data.strip_suffix(b"\n").unwrap_or(data);
    let is_json = std::str::from_utf8(line).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let read = read_line(line);
    assert_eq!(read != ReadLine::NotJson, is_json, "{}", String::from_utf8_lossy(line));
    let id = match &read {
        ReadLine::Request { id, .. } | ReadLine::Other { id } | ReadLine::Refused { id } => id.as_deref(),
        ReadLine::NotJson => None,
    };
    if let Some(id) = id {
        let id: serde_json::Value = match serde_json::from_str(id) {
            Ok(id) => id,
            // A number that no f64 holds is given back as it came, too.
            Err(_) if id.bytes().all(|byte| b"-+.eE0123456789".contains(&byte)) => return,
            Err(error) => panic!("an id that is no JSON: {id}: {error}"),
        };
        assert!(id.is_string() || id.is_number() || id.is_null());
    }
    if let ReadLine::Request { id, request } = read
        && let Some(plain) = write(id.as_deref(), &request)
    {
        assert_eq!(read_line(plain.as_bytes()), ReadLine::Request { id, request }, "{plain}");
    }
}

/// The request as a plain line; none of operators' requests, which have too many shapes to write each by hand.
fn write(id: Option<&str>, request: &Request) -> Option<String> {
    let (method, mut params) = match request {
        Request::Change(change) => write_change(&change.command),
        Request::Get { order_id } => ("order.get", format!(r#""order_id":"{order_id}""#)),
        Request::Operate(_) => return None,
    };
    if let Request::Change(change) = request {
        write_beside(change, &mut params);
    }
    let id = id.map_or_else(String::new, |id| format!(r#","id":{id}"#));
    Some(format!(r#"{{"jsonrpc":"2.0"{id},"method":"{method}","params":{{{params}}}}}"#))
}

fn write_beside(change: &ChangeRequest, params: &mut String) {
    if let Some(command_id) = change.command_id {
        write!(params, r#","command_id":"{command_id}""#).unwrap();
    }
    let Some(context) = &change.context else { return };
    if let Some(metadata) = &context.metadata {
        write!(params, r#","metadata":{metadata}"#).unwrap();
    }
    for (name, text) in [("traceparent", &context.traceparent), ("tracestate", &context.tracestate)] {
        if let Some(text) = text {
            write!(params, r#","{name}":{}"#, serde_json::Value::from(&**text)).unwrap();
        }
    }
}

fn write_change(command: &Command) -> (&'static str, String) {
    match command {
        Command::Place { order_id, customer_id, total_amount } => {
            let mut params = format!(r#""customer_id":"{customer_id}","total_amount":{total_amount}"#);
            if let Some(order_id) = order_id {
                write!(params, r#","order_id":"{order_id}""#).unwrap();
            }
            ("order.place", params)
        }
        Command::Complete { order_id } => ("order.complete", format!(r#""order_id":"{order_id}""#)),
        Command::Cancel { order_id, reason } => {
            let mut params = format!(r#""order_id":"{order_id}""#);
            if let Some(reason) = reason {
                write!(params, r#","reason":{}"#, serde_json::Value::from(reason.as_str())).unwrap();
            }
            ("order.cancel", params)
        }
    }
}
