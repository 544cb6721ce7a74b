//! Text from outside, made fit for a log, a terminal and a page.

/// The first `chars_max` characters of `text`, with control characters escaped. Where something was cut off, it says so.
#[must_use]
pub fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => escape(text.get(..end).unwrap_or(text)) + "…",
        None => escape(text),
    }
}

/// Control characters, and those that deceive the eye, in the form that JSON knows as well.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // U+2028 and U+2029 break lines in some viewers; the bidirectional marks reorder them.
        let deceiving = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || deceiving {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_on_its_line_and_short() {
        assert_eq!(escape("a\nINFO fake\r\u{1b}[2J\u{202e}"), "a\\u000aINFO fake\\u000d\\u001b[2J\\u202e");
        assert_eq!(excerpt("größe €", 300), "größe €");
        assert_eq!(excerpt("größe €", 4), "größ…");
        assert_eq!(excerpt("", 0), "");
    }
}
