//! A line of a client, read strictly: one JSON-RPC 2.0 request and nothing else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::request::{self, Method};
use super::wire_error::{ErrorKind, WireError, excerpt};
use crate::contracts::Command;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A command that wants an answer with this id, kept as it was written.
    Call {
        /// The id's text.
        id: &'a str,
        /// What to do.
        command: Command,
    },
    /// A command that wants no answer.
    Notification(Command),
    /// Nothing to execute; to be answered with the id or, where none can be told, null.
    Refused {
        /// The id's text.
        id: &'a str,
        /// Why.
        error: WireError,
    },
    /// A notification that cannot be executed, which nobody is told.
    Ignored(WireError),
}

const NULL: &str = "null";

/// Reads a line without its end.
pub(super) fn read(line: &[u8]) -> Incoming<'_> {
    let envelope = match Envelope::read(line) {
        Ok(envelope) => envelope,
        Err(error) => return Incoming::Refused { id: NULL, error },
    };
    let (method, params, id) = match envelope.judge() {
        Ok(parts) => parts,
        Err(error) => return Incoming::Refused { id: envelope.readable_id(), error },
    };
    match (request::read(&method, params), id) {
        (Ok(command), Some(id)) => Incoming::Call { id, command },
        (Ok(command), None) => Incoming::Notification(command),
        (Err(error), Some(id)) => Incoming::Refused { id, error },
        (Err(error), None) => Incoming::Ignored(error),
    }
}

/// The members of a request, not yet looked into.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    id_is_ambiguous: bool,
    fault: Option<String>,
}

impl<'a> Envelope<'a> {
    fn read(line: &'a [u8]) -> Result<Self, WireError> {
        let not_json = |reason: &dyn fmt::Display| {
            WireError::new(ErrorKind::ParseError, format!("the line is not one JSON value in UTF-8: {reason}"))
        };
        let text = std::str::from_utf8(line).map_err(|error| not_json(&error))?;
        if !text.trim_ascii_start().starts_with('{') {
            let value: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            return Err(WireError::new(ErrorKind::InvalidRequest, not_an_object(value)));
        }
        let mut envelope = Self::default();
        read_object(text, &mut |name, value| envelope.add(&name, value)).map_err(|error| not_json(&error))?;
        Ok(envelope)
    }

    fn add(&mut self, name: &str, value: &'a RawValue) {
        let slot = match name {
            "jsonrpc" => &mut self.jsonrpc,
            "method" => &mut self.method,
            "params" => &mut self.params,
            "id" => &mut self.id,
            _ => {
                let fault =
                    || format!("unknown member {}; a request has jsonrpc, id, method and params", excerpt(name));
                self.fault.get_or_insert_with(fault);
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.id_is_ambiguous |= name == "id";
            self.fault.get_or_insert_with(|| format!("the member {name} is there twice; give it once"));
        }
    }

    /// Method, params and id, if this is a request at all.
    #[expect(clippy::type_complexity, reason = "three parts, taken apart at once")]
    fn judge(&self) -> Result<(Cow<'a, str>, Option<&'a RawValue>, Option<&'a str>), WireError> {
        let invalid = |message: String| WireError::new(ErrorKind::InvalidRequest, message);
        if let Some(fault) = &self.fault {
            return Err(invalid(fault.clone()));
        }
        if let Some(id) = self.id
            && !is_id(id)
        {
            return Err(invalid(format!("id must be a string, a number or null; got {}", type_of(id))));
        }
        match self.jsonrpc.map(string_of) {
            Some(Some(version)) if version == "2.0" => {}
            Some(_) => return Err(invalid(r#"jsonrpc must be the string "2.0""#.into())),
            None => return Err(invalid(r#"jsonrpc is missing; it must be the string "2.0""#.into())),
        }
        let Some(method) = self.method else {
            return Err(invalid(format!("method is missing; it must be one of {}", Method::NAMES)));
        };
        let Some(method) = string_of(method) else {
            return Err(invalid(format!("method must be a string, one of {}; got {}", Method::NAMES, type_of(method))));
        };
        Ok((method, self.params, self.id.map(RawValue::get)))
    }

    fn readable_id(&self) -> &'a str {
        match self.id {
            Some(id) if !self.id_is_ambiguous && is_id(id) => id.get(),
            Some(_) | None => NULL,
        }
    }
}

fn not_an_object(value: &RawValue) -> String {
    match type_of(value) {
        "an array" => {
            "batches are refused: send each request as a line of its own, many before the first answer".into()
        }
        other => format!("a request is a JSON object; got {other}"),
    }
}

fn is_id(value: &RawValue) -> bool {
    match type_of(value) {
        "a string" => string_of(value).is_some(),
        "a number" | "null" => true,
        _ => false,
    }
}

/// What a value is, for messages.
pub(super) fn type_of(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') | None => "null",
        Some(_) => "a number",
    }
}

/// The text of a JSON string; none for other values, and for strings that stand for no Unicode text (`"\ud800"`).
pub(super) fn string_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    // The value has been checked: without an escape it is its own text.
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).ok().map(Cow::Owned)
}

/// Calls `member` for each member of the one object in `text`, nested values unread.
///
/// Nested values are skipped without recursion, so depth costs nothing.
pub(super) fn read_object<'a>(
    text: &'a str,
    member: &mut dyn FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Members(member))?;
    deserializer.end()
}

struct Members<'f, 'a>(&'f mut dyn FnMut(Cow<'a, str>, &'a RawValue));

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((name, value)) = map.next_entry::<Name<'a>, &'a RawValue>()? {
            (self.0)(name.0, value);
        }
        Ok(())
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Name<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'a> Visitor<'a> for Text {
            type Value = Name<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Name<'a>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'a>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
#[path = "protocol_test.rs"]
mod tests;
