//! The reading of a line as the fuzzers see it.

use super::call::{Call, Limits};
use super::jsonrpc::{self, Incoming};
use super::rpc_error::ErrorKind;
use crate::contracts::Request;

/// What a line came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadLine {
    /// A request for the executor; without an id it is a notification.
    Request { id: Option<String>, request: Request },
    /// A request that the server answers itself.
    Other { id: Option<String> },
    /// The line is no JSON.
    NotJson,
    /// JSON, and no request.
    Refused { id: Option<String> },
}

pub(crate) fn read_line(line: &[u8]) -> ReadLine {
    match jsonrpc::read(line, &Limits::of_metadata(16_384)) {
        Incoming::Call { id, call: Call::Execute(request), .. } => {
            ReadLine::Request { id: id.map(str::to_owned), request }
        }
        Incoming::Call { id, call: Call::Show(_) | Call::Attach(_), .. } => {
            ReadLine::Other { id: id.map(str::to_owned) }
        }
        Incoming::Refused { error, .. } if error.kind == ErrorKind::ParseError => ReadLine::NotJson,
        Incoming::Refused { id, .. } => ReadLine::Refused { id: id.map(str::to_owned) },
    }
}
