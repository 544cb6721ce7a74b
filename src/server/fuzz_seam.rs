//! The reading of a line as the fuzzers see it.

use super::jsonrpc::{self, Incoming};
use super::rpc_error::ErrorKind;
use crate::contracts::Request;

/// What a line came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadLine {
    /// A request; without an id it is a notification.
    Request { id: Option<String>, request: Request },
    /// The line is no JSON.
    NotJson,
    /// JSON, and no command.
    Refused { id: Option<String> },
}

pub(crate) fn read_line(line: &[u8]) -> ReadLine {
    match jsonrpc::read(line) {
        Incoming::Call { id, request } => ReadLine::Request { id: Some(id.to_owned()), request },
        Incoming::Notification(request) => ReadLine::Request { id: None, request },
        Incoming::Refused { error, .. } if error.kind == ErrorKind::ParseError => ReadLine::NotJson,
        Incoming::Refused { id, .. } => ReadLine::Refused { id: Some(id.to_owned()) },
        Incoming::Ignored(_) => ReadLine::Refused { id: None },
    }
}
