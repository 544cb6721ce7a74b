//! The params of a request, as the options of a command give them.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::RawValue;

/// One value. JSON that the caller wrote keeps its text: the daemon, not this client, judges it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Param {
    Text(String),
    Integer(u64),
    Flag(bool),
    Texts(Vec<String>),
    Json(Box<RawValue>),
}

/// A JSON object with the params that were given.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(&'static str, Param)>);

impl Params {
    /// With a param.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// With a param that may have been left out.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl Into<Param>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With a flag, if it is set.
    pub(super) fn with_flag(self, name: &'static str, set: bool) -> Self {
        if set { self.with(name, Param::Flag(true)) } else { self }
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

macro_rules! param {
    ($($from:ty => $value:ident: $param:expr;)*) => {
        $(impl From<$from> for Param {
            fn from($value: $from) -> Self {
                $param
            }
        })*
    };
}

param! {
    &str => text: Self::Text(text.to_owned());
    &String => text: Self::Text(text.clone());
    u64 => number: Self::Integer(number);
    u32 => number: Self::Integer(number.into());
    &[String] => texts: Self::Texts(texts.to_vec());
    Box<RawValue> => json: Self::Json(json);
    crate::domain::OrderId => id: Self::Text(id.to_string());
    crate::domain::CustomerId => id: Self::Text(id.to_string());
    crate::domain::CommandId => id: Self::Text(id.to_string());
    crate::domain::Cents => cents: Self::Integer(cents.get());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_given_is_left_out_and_json_keeps_its_text() {
        let json = RawValue::from_string(r#"{"b": 1.0e400, "a": 1}"#.to_owned()).unwrap();
        let params = Params::default()
            .with("sink", "events")
            .with_some("reason", None::<&str>)
            .with_flag("all", false)
            .with_flag("dry_run", true)
            .with("metadata", json);
        let text = serde_json::to_string(&params).unwrap();
        assert_eq!(text, r#"{"sink":"events","dry_run":true,"metadata":{"b": 1.0e400, "a": 1}}"#);
    }
}
