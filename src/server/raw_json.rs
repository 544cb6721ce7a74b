//! JSON text as far as requests need it: an object's members in their order, each value as it was written, repeated
//! names included. serde_json does the reading; it skips nested values without recursion, so depth costs no stack.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value in checked JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'a> {
    /// As it was written.
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string without escapes: what stands between the quotes is the text it stands for.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    Boolean,
    Null,
    Array,
    Object,
}

impl<'a> Value<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        let kind = match text.as_bytes().first() {
            Some(b'"') if text.as_bytes().contains(&b'\\') => Kind::Escaped,
            Some(b'"') => Kind::Plain,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            Some(_) | None => Kind::Number,
        };
        Self { text, kind }
    }

    /// The text that a string stands for; none for other values, and for strings that stand for no Unicode text, such
    /// as `"\ud800"`.
    pub(super) fn as_str(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::Plain => self.text.get(1..self.text.len().saturating_sub(1)).map(Cow::Borrowed),
            Kind::Escaped => serde_json::from_str(self.text).ok().map(Cow::Owned),
            Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => None,
        }
    }

    /// What it is, for messages.
    pub(super) const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Plain | Kind::Escaped => "a string",
            Kind::Number => "a number",
            Kind::Boolean => "a boolean",
            Kind::Null => "null",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// Reads a text that is one JSON value.
pub(super) fn read_value(text: &str) -> serde_json::Result<Value<'_>> {
    serde_json::from_str::<&RawValue>(text).map(Value::of)
}

/// Reads a text that is one JSON object; `member` sees each name, which is a string, with its value.
pub(super) fn read_members<'a>(text: &'a str, mut member: impl FnMut(Value<'a>, Value<'a>)) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members(|name, value| {
        member(name, value);
        ControlFlow::Continue(())
    }))?;
    reader.end()
}

/// Reads the first members of a text that is one JSON object, as many as there are places; the others are not looked at.
pub(super) fn read_first_members<'a>(text: &'a str, places: &mut [Option<(Value<'a>, Value<'a>)>]) {
    let mut free = places.iter_mut();
    let mut reader = serde_json::Deserializer::from_str(text);
    // It ends with an error where places are used up; the text was checked with the line.
    let read = reader.deserialize_map(Members(|name, value| match free.next() {
        Some(place) => {
            *place = Some((name, value));
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    }));
    drop(read);
}

struct Members<F>(F);

impl<'a, F: FnMut(Value<'a>, Value<'a>) -> ControlFlow<()>> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            if (self.0)(Value::of(name), Value::of(value)).is_break() {
                return Err(A::Error::custom("there are more members than are wanted"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "raw_json_test.rs"]
mod tests;
