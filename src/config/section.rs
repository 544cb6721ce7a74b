//! Reads one TOML table key by key, and notes everything that is wrong with it.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;

/// A value whose position in the text is known.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The problems found so far.
pub(super) struct Problems<'t> {
    text: &'t str,
    pub(super) found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a problem; `at` is a position in the text.
    pub(super) fn add(&mut self, at: Option<usize>, key: impl Into<String>, message: impl Into<String>) {
        let line = at.map(|at| self.line_of(at));
        self.found.push(Problem { line, key: key.into(), message: message.into() });
    }

    /// The key on the line of `at`, as far as a text that is not valid TOML tells; empty if there is none.
    pub(super) fn key_at(&self, root: &DeTable<'_>, at: Option<usize>) -> String {
        let Some(line) = at.map(|at| self.line_of(at)) else { return String::new() };
        let on_line = |table: &DeTable<'_>| {
            let found = table.keys().find(|key| self.line_of(key.span().start) == line);
            found.map(|key| key.get_ref().to_string())
        };
        for (section, value) in root {
            let entries = value.get_ref().as_array().into_iter().flat_map(|array| array.iter().enumerate());
            let named = entries.map(|(index, entry)| (format!("{}[{index}]", section.get_ref()), entry));
            for (name, value) in named.chain([(section.get_ref().to_string(), value)]) {
                if let Some(key) = value.get_ref().as_table().and_then(on_line) {
                    return format!("{name}.{key}");
                }
            }
        }
        on_line(root).unwrap_or_default()
    }

    fn line_of(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// One table while it is read. Every key is asked for once; what nobody asked for is unknown.
pub(super) struct Section<'s, 't> {
    /// With its index where it is an entry of an array: `sinks[0]`.
    name: String,
    at: Option<usize>,
    table: Option<&'s DeTable<'t>>,
    known: Vec<&'static str>,
    problems: &'s mut Problems<'t>,
}

impl<'s, 't> Section<'s, 't> {
    /// Starts to read `table`; an absent one has all its defaults.
    pub(super) const fn new(
        name: String,
        at: Option<usize>,
        table: Option<&'s DeTable<'t>>,
        problems: &'s mut Problems<'t>,
    ) -> Self {
        Self { name, at, table, known: Vec::new(), problems }
    }

    /// The value of `key`, if it is there.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'s Value<'t>> {
        self.known.push(key);
        self.table?.get(key)
    }

    /// Notes that `key` has a value it cannot take.
    pub(super) fn refuse(&mut self, key: &str, value: &Value<'t>, takes: &str) {
        let message = format!("takes {takes}, not {}", describe(value.get_ref()));
        self.problems.add(Some(value.span().start), self.path(key), message);
    }

    /// Notes a problem of a part of `key`'s value.
    pub(super) fn problem_at(&mut self, key: &str, part: &Value<'t>, message: &str) {
        self.problems.add(Some(part.span().start), self.path(key), message);
    }

    /// Notes that `key` has to be given.
    pub(super) fn missing(&mut self, key: &str, takes: &str) {
        self.problems.add(self.at, self.path(key), format!("is missing; takes {takes}"));
    }

    /// Notes a problem that is no matter of type.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let at = self.table.and_then(|table| table.get(key)).map(|value| value.span().start).or(self.at);
        self.problems.add(at, self.path(key), message);
    }

    /// A whole number within `range`.
    pub(super) fn number<T: Number>(&mut self, key: &'static str, default: T, range: RangeInclusive<u64>) -> T {
        let Some(value) = self.value(key) else { return default };
        let number = value.get_ref().as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        if let Some(number) = number.filter(|number| range.contains(number)).and_then(T::from_u64) {
            return number;
        }
        self.refuse(key, value, &format!("an integer from {} to {}", range.start(), range.end()));
        default
    }

    /// A text that `parse` accepts; `takes` says which those are.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        takes: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.refuse(key, value, takes);
        }
        parsed
    }

    /// A text that `parse` accepts and that is never shown.
    pub(super) fn secret_text<T>(
        &mut self,
        key: &'static str,
        takes: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.problems.add(Some(value.span().start), self.path(key), format!("takes {takes}"));
        }
        parsed
    }

    /// Ends the reading: every key that was not asked for is unknown.
    pub(super) fn finish(self) {
        for (key, _) in self.table.into_iter().flatten() {
            if !self.known.contains(&key.get_ref().as_ref()) {
                let message = format!("unknown key; {} takes {}", self.name, self.known.join(", "));
                self.problems.add(Some(key.span().start), self.path(key.get_ref()), message);
            }
        }
    }

    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}

/// What a number in the file may become.
pub(super) trait Number: Sized + Copy {
    fn from_u64(number: u64) -> Option<Self>;
    fn to_u64(self) -> u64;
}

impl Number for u64 {
    fn from_u64(number: u64) -> Option<Self> {
        Some(number)
    }

    fn to_u64(self) -> u64 {
        self
    }
}

impl Number for usize {
    fn from_u64(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }

    fn to_u64(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
}

/// Milliseconds in the file.
impl Number for Duration {
    fn from_u64(number: u64) -> Option<Self> {
        Some(Self::from_millis(number))
    }

    fn to_u64(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A value as an error shows it: short, and on one line.
fn describe(value: &DeValue<'_>) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    match value {
        DeValue::String(text) => {
            let mut shown = String::from("\"");
            for c in text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug) {
                shown.push(c);
            }
            shown.push_str(if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…\"" } else { "\"" });
            shown
        }
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => format!("the float {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            let mut shown = String::from("a value of type ");
            shown.write_str(value.type_str()).ok();
            shown
        }
    }
}
