//! The `metadata` of a command: a JSON object that is checked and kept as its text.

use std::borrow::Cow;
use std::collections::HashSet;

/// The object without the white space between its parts.
///
/// `text` has been read as JSON before, and begins with `{`: only what JSON leaves open is checked here.
///
/// # Errors
/// What is wrong, for a message that begins with the param's name.
pub(super) fn compact(text: &str, levels_max: usize) -> Result<Box<str>, String> {
    let mut levels: Vec<Level<'_>> = Vec::with_capacity(4);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
                continue;
            }
            b'"' => string_length(rest),
            b'{' | b'[' | b'}' | b']' | b',' | b':' => 1,
            _ => rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(length.max(1)).unwrap_or((rest, ""));
        check(token, &mut levels)?;
        if levels.len() > levels_max {
            return Err(format!("nests deeper than {levels_max} levels"));
        }
        out.push_str(token);
        rest = after;
    }
    Ok(out.into_boxed_str())
}

/// What is open around a token.
enum Level<'a> {
    Array,
    Object {
        names: HashSet<Cow<'a, str>>,
        /// The next string is a name.
        at_name: bool,
    },
}

fn check<'a>(token: &'a str, levels: &mut Vec<Level<'a>>) -> Result<(), String> {
    match token.as_bytes().first() {
        Some(b'{') => levels.push(Level::Object { names: HashSet::new(), at_name: true }),
        Some(b'[') => levels.push(Level::Array),
        Some(b'}' | b']') => drop(levels.pop()),
        Some(b',') => {
            if let Some(Level::Object { at_name, .. }) = levels.last_mut() {
                *at_name = true;
            }
        }
        Some(b':') => {
            if let Some(Level::Object { at_name, .. }) = levels.last_mut() {
                *at_name = false;
            }
        }
        Some(b'"') => check_string(token, levels)?,
        Some(b'-' | b'0'..=b'9') => check_number(token)?,
        Some(_) | None => {}
    }
    Ok(())
}

fn check_string<'a>(token: &'a str, levels: &mut [Level<'a>]) -> Result<(), String> {
    let text: Cow<'a, str> = if token.contains('\\') {
        let text = serde_json::from_str::<String>(token);
        Cow::Owned(text.map_err(|_| "holds a string with half a surrogate pair".to_owned())?)
    } else {
        Cow::Borrowed(token)
    };
    if let Some(Level::Object { names, at_name: true }) = levels.last_mut() {
        // A name without escapes is kept with its quotes, one with escapes without: told apart, they must not differ.
        let name = match text {
            Cow::Borrowed(quoted) => Cow::Borrowed(quoted.trim_matches('"')),
            Cow::Owned(name) => Cow::Owned(name),
        };
        if !names.insert(name) {
            return Err("has a name twice on one level".to_owned());
        }
    }
    Ok(())
}

/// A number that no double holds would stop many readers of the event.
fn check_number(token: &str) -> Result<(), String> {
    match token.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(()),
        Ok(_) | Err(_) => Err("holds a number beyond 1.8e308".to_owned()),
    }
}

/// The length of the string that `text` begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_parts_goes_and_everything_else_stays() {
        let cases = [
            ("{}", "{}"),
            ("{ }", "{}"),
            ("{\r\n\t\"a\" : [ 1 , -2.50e+1 , true , null ] }", r#"{"a":[1,-2.50e+1,true,null]}"#),
            (r#"{"a b":" c , d : \" } "}"#, r#"{"a b":" c , d : \" } "}"#),
            (r#"{"\u0061":"\ud83e\udd80 \/ größe"}"#, r#"{"\u0061":"\ud83e\udd80 \/ größe"}"#),
            (r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":"a"}"#, r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":"a"}"#),
            (r#"{"n":12345678901234567890123}"#, r#"{"n":12345678901234567890123}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(compact(text, 32).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_name_stands_once_on_each_level_however_it_is_spelled() {
        let twice = [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"":1,"":2}"#,
            r#"{"x":[{"b":{"c":1,"d":1,"c":1}}]}"#,
            r#"{"a\"":1,"a\u0022":1}"#,
        ];
        for text in twice {
            assert!(compact(text, 32).is_err_and(|problem| problem.contains("twice")), "{text}");
        }
    }

    #[test]
    fn thirty_two_levels_are_taken_and_no_more() {
        let nested = |arrays: usize| format!("{{\"a\":{}{}}}", "[".repeat(arrays), "]".repeat(arrays));
        assert!(compact(&nested(31), 32).is_ok());
        assert!(compact(&nested(32), 32).is_err_and(|problem| problem.contains("32 levels")));
    }

    #[test]
    fn what_readers_of_the_event_could_not_read_is_refused() {
        for text in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"a":1e999}"#, r#"{"a":[-1e400]}"#] {
            assert!(compact(text, 32).is_err(), "{text}");
        }
    }
}
