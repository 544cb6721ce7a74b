//! The parts of an event's line.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::{Event, EventError};

/// One context attribute. The value is text: integers in decimal digits, as the CloudEvents type system writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute's name: lower-case letters and digits.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// All context attributes of an event, in the order of its line, and its data as written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes<'e> {
    /// Everything but `data`, `datacontenttype` among them.
    pub context: Vec<Attribute>,
    /// The JSON text of `data`; none if the event has none.
    pub data: Option<&'e str>,
}

impl<'e> Attributes<'e> {
    /// Takes the event's line apart.
    ///
    /// # Errors
    /// The line is not a CloudEvent with attributes that are texts, integers or booleans.
    pub fn of(event: &'e Event) -> Result<Self, EventError> {
        let mut json = serde_json::Deserializer::from_slice(&event.line);
        Ok(json.deserialize_map(Parts)?)
    }

    /// The value of one attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.context.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }
}

struct Parts;

impl<'e> Visitor<'e> for Parts {
    type Value = Attributes<'e>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent")
    }

    fn visit_map<M: MapAccess<'e>>(self, mut map: M) -> Result<Attributes<'e>, M::Error> {
        let mut parts = Attributes { context: Vec::with_capacity(12), data: None };
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<&'e RawValue>()?.get();
            if name == "data" {
                parts.data = Some(value);
            } else {
                parts.context.push(Attribute { value: text(value).map_err(M::Error::custom)?, name });
            }
        }
        Ok(parts)
    }
}

fn text(json: &str) -> Result<String, String> {
    match json.as_bytes().first() {
        Some(b'"') => String::deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(|e| e.to_string()),
        Some(b'0'..=b'9' | b'-' | b't' | b'f') => Ok(json.to_owned()),
        _ => Err(format!("an attribute is a text, an integer or a boolean, not {json}")),
    }
}
