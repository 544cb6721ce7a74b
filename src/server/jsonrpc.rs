//! A line of a client, read strictly: one JSON-RPC 2.0 request and nothing else.

use std::fmt;

use super::call::{Call, Limits};
use super::call_reader::read_call;
use super::methods::Method;
use super::params::RawParams;
use super::raw_json::{Kind, Value, read_members, read_value};
use super::rpc_error::{ErrorKind, RpcError, excerpt};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A call; without an id, which is kept as it was written, it wants no answer.
    Call {
        /// The id's text.
        id: Option<&'a str>,
        method: Method,
        call: Call,
    },
    /// Nothing to execute. To be answered with the id or, where none can be told, null; what is a notification without
    /// doubt is not answered.
    Refused {
        /// The id's text.
        id: Option<&'a str>,
        /// Why.
        error: RpcError,
    },
}

const NULL: &str = "null";

/// Reads a line without its end.
pub(super) fn read<'a>(line: &'a [u8], limits: &Limits) -> Incoming<'a> {
    let mut members = Members::default();
    if let Err(error) = members.read(line) {
        return Incoming::Refused { id: Some(NULL), error };
    }
    let method = match members.judge() {
        Ok(method) => method,
        Err(message) => {
            let error = RpcError::new(ErrorKind::InvalidRequest, message);
            return Incoming::Refused { id: Some(members.readable_id()), error };
        }
    };
    let id = members.id.map(|id| id.text);
    match read_call(method, &members.params, limits) {
        Ok((_, Call::Attach(_))) if id.is_none() => {
            let message = "sink.attach needs an id: its answer says where the connection begins";
            Incoming::Refused { id: Some(NULL), error: RpcError::new(ErrorKind::InvalidRequest, message) }
        }
        Ok((method, call)) => Incoming::Call { id, method, call },
        Err(error) => Incoming::Refused { id, error },
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
            return Err(format!("method is missing; it must be one of {}", Method::names()));
        };
        match method.kind {
            Kind::Plain | Kind::Escaped => Ok(method),
            Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => {
                Err(format!("method must be a string, one of {}; got {}", Method::names(), method.type_name()))
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
