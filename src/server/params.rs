//! A method's params, by name and strictly: what is not known, there twice, missing or of another kind is refused.

use super::methods::{Method, PARAMS_MAX};
use super::raw_json::{Kind, Value, read_first_members};
use super::rpc_error::excerpt;
use crate::domain::IdError;

/// One more than a method has params: if there are more, one of these is unknown or there twice.
const MEMBERS_KEPT: usize = PARAMS_MAX + 1;

/// The params as they came. They may come before the method, so nothing is known about them yet.
#[derive(Debug, Default)]
pub(super) struct RawParams<'a> {
    shape: Shape<'a>,
    /// The first few members of the object.
    members: [Option<(Value<'a>, Value<'a>)>; MEMBERS_KEPT],
}

#[derive(Debug, Default)]
enum Shape<'a> {
    #[default]
    Missing,
    Object,
    Other(Value<'a>),
}

impl<'a> RawParams<'a> {
    /// Takes the value of `params`; returns whether there had been one before.
    pub(super) fn read(&mut self, params: Value<'a>) -> bool {
        if !matches!(self.shape, Shape::Missing) {
            return true;
        }
        self.shape = match params.kind {
            Kind::Object => {
                read_first_members(params.text, &mut self.members);
                Shape::Object
            }
            Kind::Plain | Kind::Escaped | Kind::Number | Kind::Boolean | Kind::Null | Kind::Array => {
                Shape::Other(params)
            }
        };
        false
    }
}

/// The params of one method, each in the place that its name has in the method's row.
#[derive(Debug)]
pub(super) struct Params<'a> {
    method: Method,
    values: [Option<Value<'a>>; PARAMS_MAX],
}

impl<'a> Params<'a> {
    pub(super) fn of(method: Method, raw: &RawParams<'a>) -> Result<Self, String> {
        let mut params = Self { method, values: [None; PARAMS_MAX] };
        match raw.shape {
            Shape::Missing => {}
            Shape::Object => {
                raw.members.iter().flatten().try_for_each(|(name, value)| params.add(*name, *value))?;
            }
            Shape::Other(value) => {
                let (got, takes) = (value.type_name(), method.takes());
                return Err(format!("params must be an object with names; got {got}; {takes}"));
            }
        }
        Ok(params)
    }

    fn add(&mut self, name: Value<'a>, value: Value<'a>) -> Result<(), String> {
        let place = name.as_str().and_then(|name| self.place_of(&name));
        let Some(slot) = place.and_then(|place| self.values.get_mut(place)) else {
            return Err(format!("unknown param {}; {}", excerpt(name), self.method.takes()));
        };
        match slot.replace(value) {
            Some(_) => Err(format!("the param {} is there twice; give it once", excerpt(name))),
            None => Ok(()),
        }
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.method.spec().params.iter().position(|param| param.trim_end_matches('?') == name)
    }

    /// The value of a param that must be there, as `parse` reads it.
    pub(super) fn required<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, Value<'a>) -> Result<T, String>,
    ) -> Result<T, String> {
        let missing = || format!("the param {name} is missing; {}", self.method.takes());
        parse(name, self.get(name).ok_or_else(missing)?)
    }

    /// The value of a param that may be left out, as `parse` reads it.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, Value<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.get(name).map(|value| parse(name, value)).transpose()
    }

    fn get(&self, name: &str) -> Option<Value<'a>> {
        debug_assert!(self.place_of(name).is_some(), "{name} is in the method's row");
        self.place_of(name).and_then(|place| self.values.get(place).copied().flatten())
    }
}

/// Reads an id of some kind.
pub(super) fn id<'a, T>(
    parse: impl FnOnce(&str) -> Result<T, IdError>,
) -> impl FnOnce(&str, Value<'a>) -> Result<T, String> {
    move |name, value| match value.as_str() {
        Some(text) => parse(&text).map_err(|error| format!("{name}: {error}; got {}", excerpt(value))),
        None => Err(format!("{name}: {IdError}; got {}", not_a_text(value))),
    }
}

/// Reads a text of at most `chars_max` characters, not empty.
pub(super) fn text<'a>(chars_max: usize) -> impl FnOnce(&str, Value<'a>) -> Result<String, String> {
    move |name, value| {
        let takes = || format!("{name} must be a string of 1 to {chars_max} characters");
        let text = value.as_str().ok_or_else(|| format!("{}; got {}", takes(), not_a_text(value)))?;
        match text.chars().take(chars_max.saturating_add(1)).count() {
            0 => Err(format!("{}; got an empty one", takes())),
            chars if chars > chars_max => Err(format!("{}; got more", takes())),
            _ => Ok(text.into_owned()),
        }
    }
}

/// Reads a whole number in a range.
pub(super) fn integer<'a>(least: u64, most: u64) -> impl FnOnce(&str, Value<'a>) -> Result<u64, String> {
    move |name, value| {
        let number = if is_digits(value) { value.text.parse::<u64>().ok() } else { None };
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let got = if value.kind == Kind::Number { excerpt(value) } else { value.type_name().to_owned() };
            format!("{name} must be an integer from {least} to {most}; got {got}")
        })
    }
}

/// Reads `true` or `false`.
pub(super) fn boolean(name: &str, value: Value<'_>) -> Result<bool, String> {
    match value.kind {
        Kind::Boolean => Ok(value.text == "true"),
        Kind::Plain | Kind::Escaped | Kind::Number | Kind::Null | Kind::Array | Kind::Object => {
            Err(format!("{name} must be true or false; got {}", value.type_name()))
        }
    }
}

/// Whether a value is written in digits alone. JSON allows no leading zeros.
pub(super) fn is_digits(value: Value<'_>) -> bool {
    value.kind == Kind::Number && value.text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands where a text should, for messages.
pub(super) fn not_a_text(value: Value<'_>) -> &'static str {
    match value.kind {
        Kind::Escaped => "a string with half a surrogate pair",
        Kind::Plain | Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => value.type_name(),
    }
}
