//! Text that did not come from us, made harmless before it meets a terminal.
//!
//! A terminal obeys control characters, and shows text after a bidirectional override in another order than it has.
//! Both can come from a key of a configuration, a path, an order's reason, or the answer of whatever listens at the
//! socket. Every byte that a command prints passes through here: [`super::output`] for standard output, [`complain`]
//! for standard error.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether `shown` could do something to a terminal besides being seen.
const fn is_unsafe(shown: char) -> bool {
    matches!(shown,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'                              // C0, DEL, C1
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'    // direction marks, embeddings, overrides
        | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}'                // separators, isolates
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}') // byte order mark, interlinear annotation
}

/// What needs no look at its characters: most of what is ever printed.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
}

/// Lines of text or of JSON: line ends and tabs stay, every other unsafe character becomes `\u` and its number. In a
/// JSON string that is the same character; outside of strings JSON has none.
pub(super) fn escape_lines(bytes: &[u8]) -> Cow<'_, [u8]> {
    if is_plain(bytes) {
        return Cow::Borrowed(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    Cow::Owned(escape(&text, |shown| is_unsafe(shown) && shown != '\n' && shown != '\t').into_bytes())
}

/// A value that is shown within a line: line ends and tabs are escaped, too.
pub(super) fn one_line(text: &str) -> String {
    escape(text, is_unsafe)
}

fn escape(text: &str, needed: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for shown in text.chars() {
        match shown {
            '\n' if needed(shown) => escaped.push_str("\\n"),
            '\t' if needed(shown) => escaped.push_str("\\t"),
            // All of them are in the basic plane: four digits are enough. A String takes everything.
            shown if needed(shown) => write!(escaped, "\\u{:04x}", u32::from(shown)).unwrap_or_default(),
            shown => escaped.push(shown),
        }
    }
    escaped
}

/// Says on standard error, line by line, what went wrong.
pub(super) fn complain(message: &str) {
    for line in message.lines() {
        eprintln!("orderd: {}", one_line(line));
    }
}

/// Says on standard error what is worth knowing and stops nothing.
pub(super) fn warn(message: &str) {
    eprintln!("warning: {}", one_line(message));
}

/// Says on standard error what is a text of several lines already.
pub(super) fn complain_as_is(text: &str) {
    eprint!("{}", String::from_utf8_lossy(&escape_lines(text.as_bytes())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let hostile = "\u{1b}[31m \u{9b}31m \u{7f} \u{202e}abc \u{2066}x\r\u{feff}";
        let lines = String::from_utf8(escape_lines(hostile.as_bytes()).into_owned()).unwrap();
        assert_eq!(lines, r"\u001b[31m \u009b31m \u007f \u202eabc \u2066x\u000d\ufeff");
        assert_eq!(one_line("a\nb\tc"), r"a\nb\tc");
        assert_eq!(escape_lines(b"\xff\x1b"), "\u{fffd}\\u001b".as_bytes());
    }

    #[test]
    fn an_escaped_line_of_json_says_the_same() {
        let line = "{\"reason\":\"\u{9b}31m\u{202e} ü \u{1f600}\"}\n";
        let escaped = escape_lines(line.as_bytes());
        assert!(!String::from_utf8_lossy(&escaped).contains('\u{9b}'));
        let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(read(&escaped), read(line.as_bytes()));
    }
}
