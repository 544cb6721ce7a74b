//! A line of a client, read strictly: one JSON-RPC 2.0 request and nothing else.

use std::fmt;

use super::methods::{self, Method, RawParams};
use super::raw_json::{Kind, Value, read_members, read_value};
use super::rpc_error::{ErrorKind, RpcError, excerpt};
use crate::contracts::Request;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A command that wants an answer with this id, kept as it was written.
    Call {
        /// The id's text.
        id: &'a str,
        /// What to do.
        request: Request,
    },
    /// A command that wants no answer.
    Notification(Request),
    /// Nothing to execute; to be answered with the id or, where none can be told, null.
    Refused {
        /// The id's text.
        id: &'a str,
        /// Why.
        error: RpcError,
    },
    /// A notification that cannot be executed, which nobody is told.
    Ignored(RpcError),
}

const NULL: &str = "null";

/// Reads a line without its end.
pub(super) fn read(line: &[u8]) -> Incoming<'_> {
    let mut members = Members::default();
    if let Err(error) = members.read(line) {
        return Incoming::Refused { id: NULL, error };
    }
    let method = match members.judge() {
        Ok(method) => method,
        Err(message) => {
            let error = RpcError::new(ErrorKind::InvalidRequest, message);
            return Incoming::Refused { id: members.readable_id(), error };
        }
    };
    match (methods::read(method, &members.params), members.id) {
        (Ok(request), Some(id)) => Incoming::Call { id: id.text, request },
        (Ok(request), None) => Incoming::Notification(request),
        (Err(error), Some(id)) => Incoming::Refused { id: id.text, error },
        (Err(error), None) => Incoming::Ignored(error),
    }
}

/// The members of a request, not yet judged.
#[derive(Debug, Default)]
struct Members<'a> {
    jsonrpc: Option<Value<'a>>,
    method: Option<Value<'a>>,
    params: RawParams<'a>,
    id: Option<Value<'a>>,
    id_is_ambiguous: bool,
    fault: Option<String>,
}

impl<'a> Members<'a> {
    fn read(&mut self, line: &'a [u8]) -> Result<(), RpcError> {
        let text = std::str::from_utf8(line).map_err(|error| not_json(&error))?;
        if text.trim_ascii_start().starts_with('{') {
            return read_members(text, |name, value| self.add(name, value)).map_err(|error| not_json(&error));
        }
        let value = read_value(text).map_err(|error| not_json(&error))?;
        Err(RpcError::new(ErrorKind::InvalidRequest, not_an_object(value)))
    }

    /// Takes a member in. What is wrong with it is judged later: first it must be known whether the line is JSON.
    fn add(&mut self, name: Value<'a>, value: Value<'a>) {
        let twice = match name.as_str().as_deref() {
            Some("jsonrpc") => self.jsonrpc.replace(value).is_some(),
            Some("method") => self.method.replace(value).is_some(),
            Some("params") => self.params.read(value),
            Some("id") => {
                self.id_is_ambiguous = self.id.replace(value).is_some();
                self.id_is_ambiguous
            }
            Some(_) | None => {
                self.fault.get_or_insert_with(|| {
                    format!("unknown member {}; a request has jsonrpc, id, method and params", excerpt(name))
                });
                false
            }
        };
        if twice {
            self.fault.get_or_insert_with(|| format!("the member {} is there twice; give it once", excerpt(name)));
        }
    }

    /// The method, if this is a request at all; else what is wrong with it.
    fn judge(&self) -> Result<Value<'a>, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if let Some(id) = self.id.filter(|id| !is_id(*id)) {
            return Err(format!("id must be a string, a number or null; got {}", id.type_name()));
        }
        match self.jsonrpc {
            Some(version) if version.as_str().is_some_and(|version| version == "2.0") => {}
            Some(version) => return Err(format!(r#"jsonrpc must be the string "2.0"; got {}"#, excerpt(version))),
            None => return Err(r#"jsonrpc is missing; it must be the string "2.0""#.into()),
        }
        let Some(method) = self.method else {
            return Err(format!("method is missing; it must be one of {}", Method::NAMES));
        };
        match method.kind {
            Kind::Plain | Kind::Escaped => Ok(method),
            Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => {
                Err(format!("method must be a string, one of {}; got {}", Method::NAMES, method.type_name()))
            }
        }
    }

    fn readable_id(&self) -> &'a str {
        self.id.filter(|id| !self.id_is_ambiguous && is_id(*id)).map_or(NULL, |id| id.text)
    }
}

fn not_json(reason: &dyn fmt::Display) -> RpcError {
    RpcError::new(ErrorKind::ParseError, format!("the line is not one JSON value in UTF-8: {reason}"))
}

fn not_an_object(value: Value<'_>) -> String {
    match value.kind {
        Kind::Array => "batches are refused: send each request as a line of its own, pipelined if you like".into(),
        Kind::Plain | Kind::Escaped | Kind::Number | Kind::Boolean | Kind::Null | Kind::Object => {
            format!("a request is a JSON object; got {}", value.type_name())
        }
    }
}

fn is_id(value: Value<'_>) -> bool {
    match value.kind {
        Kind::Plain | Kind::Number | Kind::Null => true,
        Kind::Escaped => value.as_str().is_some(),
        Kind::Boolean | Kind::Array | Kind::Object => false,
    }
}

#[cfg(test)]
#[path = "jsonrpc_test.rs"]
mod tests;
