//! JSON text, checked in one pass, without copies and without recursion, as far as requests need it: an object whose
//! members are strings, numbers and one more such object. What else JSON allows is left to serde_json.

use std::borrow::Cow;

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

/// Text that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub(super) struct NotJson {
    expected: &'static str,
    at: usize,
}

impl<'a> Value<'a> {
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

/// Reads JSON text from its beginning.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space, left where it is.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Nothing but white space may be left.
    pub(super) fn end(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the line")),
        }
    }

    /// Steps into an object; `member` is called at each value, with its name, and must read it.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Value<'a>) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.take(b'{', "an object")?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name in quotes"));
            }
            let name = self.string()?;
            self.take(b':', "a colon")?;
            member(self, name)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) | None => return Err(self.expected("a comma or a closing brace")),
            }
        }
    }

    /// Reads a value of any kind.
    pub(super) fn value(&mut self) -> Result<Value<'a>, NotJson> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.nested(Kind::Object),
            Some(b'[') => self.nested(Kind::Array),
            Some(b't') => self.literal("true", Kind::Boolean),
            Some(b'f') => self.literal("false", Kind::Boolean),
            Some(b'n') => self.literal("null", Kind::Null),
            Some(_) | None => Err(self.expected("a value")),
        }
    }

    fn string(&mut self) -> Result<Value<'a>, NotJson> {
        let start = self.at;
        let mut kind = Kind::Plain;
        self.at += 1;
        loop {
            self.at += plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.since(start, kind));
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("no control character inside a string")),
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.expected("four hexadecimal digits"));
                    }
                    self.at += 1;
                }
            }
            Some(_) | None => return Err(self.expected("a known escape")),
        }
        Ok(())
    }

    /// `-`? (`0` | `1`-`9` digits) (`.` digits)? (`e` sign? digits)?
    fn number(&mut self) -> Result<Value<'a>, NotJson> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.since(start, Kind::Number))
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &'static str, kind: Kind) -> Result<Value<'a>, NotJson> {
        let start = self.at;
        if !self.text.as_bytes().get(start..).is_some_and(|rest| rest.starts_with(literal.as_bytes())) {
            return Err(self.expected("a value"));
        }
        self.at += literal.len();
        Ok(self.since(start, kind))
    }

    /// Depth is nothing that a request may need, but everything that a stack can run out of: serde_json skips values
    /// without recursion.
    fn nested(&mut self, kind: Kind) -> Result<Value<'a>, NotJson> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(_)) => {
                self.at += values.byte_offset();
                Ok(self.since(start, kind))
            }
            Some(Err(error)) => {
                self.at += error.column().saturating_sub(1);
                Err(self.expected("a value that is well formed"))
            }
            None => Err(self.expected("a value")),
        }
    }

    fn take(&mut self, wanted: u8, expected: &'static str) -> Result<(), NotJson> {
        if self.peek() != Some(wanted) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn since(&self, start: usize, kind: Kind) -> Value<'a> {
        Value { text: self.text.get(start..self.at).unwrap_or_default(), kind }
    }

    const fn expected(&self, expected: &'static str) -> NotJson {
        NotJson { expected, at: self.at }
    }
}

/// How many bytes there are before the first quote, backslash or control character; eight at a time, because most of
/// a request is inside of strings.
fn plain_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let special = special_bytes(u64::from_le_bytes(*eight));
        if special != 0 {
            return len + usize::try_from(special.trailing_zeros() / 8).unwrap_or(0);
        }
        len += 8;
        rest = behind;
    }
    len + rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).unwrap_or(rest.len())
}

/// Sets the top bit of the first byte that is special. Bits above it mean nothing: a borrow may have set them.
const fn special_bytes(eight: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    let controls = eight.wrapping_sub(ONES * 0x20) & !eight;
    let quotes = (eight ^ QUOTES).wrapping_sub(ONES) & !(eight ^ QUOTES);
    let backslashes = (eight ^ BACKSLASHES).wrapping_sub(ONES) & !(eight ^ BACKSLASHES);
    (controls | quotes | backslashes) & TOPS
}

#[cfg(test)]
#[path = "json_test.rs"]
mod tests;
