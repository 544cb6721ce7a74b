//! A log line without control characters: a line break in a text from elsewhere would otherwise pass for a log line of our
//! own, and an escape sequence could hide one from whoever reads it on a terminal.

/// Control characters but the last line break, in the form that JSON knows as well.
pub(super) fn escape(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
    let mut escaped = String::with_capacity(line.len());
    for c in text.chars() {
        // U+2028 and U+2029 break lines in some viewers; the bidirectional marks reorder them.
        let deceiving = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || deceiving {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_line_breaks_or_escapes_stays_on_its_line() {
        assert_eq!(escape(b"a b\n"), "a b\n");
        assert_eq!(escape(b"a\nINFO fake\r\n"), "a\\u000aINFO fake\\u000d\n");
        assert_eq!(escape(b"\x1b[2J\x7f\tx"), "\\u001b[2J\\u007f\\u0009x");
        assert_eq!(escape("\u{9b}31m \u{202e}abc".as_bytes()), "\\u009b31m \\u202eabc");
        assert_eq!(escape("größe €".as_bytes()), "größe €");
        assert_eq!(escape(b"\xff"), "\u{fffd}");
        assert_eq!(escape(b""), "");
    }
}
