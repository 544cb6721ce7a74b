//! Numbers, times and foreign text, as people read them.

use chrono::DateTime;
use maud::{Markup, html};

/// Text that came from outside: control characters and those that reorder a line are shown as their codes, and the
/// writing direction stays inside.
pub fn outside(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// The same for attributes.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, and those that break or reorder a line.
pub fn is_invisible(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders
}

/// JSON for a script to read from an attribute: the same value, in characters that can be seen.
pub fn attribute_json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if is_invisible(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// A part of a path, percent-encoded.
pub fn path_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && !text.trim_matches('.').is_empty())
        {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

/// 1234567 as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same, or a dash.
pub fn count_or_dash(number: Option<u64>) -> String {
    number.map_or_else(dash, count)
}

/// What there is nothing to show for.
pub fn dash() -> String {
    "–".to_owned()
}

/// A measured value with three digits that matter.
pub fn measure(value: f64) -> String {
    if !value.is_finite() {
        dash()
    } else if value >= 1_000_000.0 {
        format!("{:.1} M", value / 1_000_000.0)
    } else if value >= 10_000.0 {
        format!("{:.1} k", value / 1_000.0)
    } else if value >= 1_000.0 {
        let (thousands, rest) = ((value / 1_000.0).trunc(), value % 1_000.0);
        format!("{thousands:.0},{:03.0}", rest.trunc())
    } else if value >= 100.0 || value == value.trunc() {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// Milliseconds as the two largest units.
pub fn duration_ms(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if ms < 1_000 {
        format!("{ms} ms")
    } else if seconds < 10 {
        format!("{}.{} s", seconds, ms % 1_000 / 100)
    } else if seconds < 60 {
        format!("{seconds} s")
    } else if hours == 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else if days == 0 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{days} d {} h", hours % 24)
    }
}

/// Bytes in binary units.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

/// A time of the daemon's with its age; what is not a time is shown as it is.
pub fn time(text: &str) -> Markup {
    let Ok(time) = DateTime::parse_from_rfc3339(text) else { return outside(text) };
    let time = time.to_utc();
    let age = (chrono::Utc::now() - time).num_milliseconds();
    html! {
        time datetime=(time.to_rfc3339()) title=(time.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()) {
            (relative(age))
        }
    }
}

/// The time of day, for lists in the order of time.
pub fn clock_time(text: &str) -> Markup {
    let Ok(time) = DateTime::parse_from_rfc3339(text) else { return outside(text) };
    let time = time.to_utc();
    let today = time.date_naive() == chrono::Utc::now().date_naive();
    let format = if today { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S" };
    html! { time datetime=(time.to_rfc3339()) { (time.format(format).to_string()) } }
}

/// The largest unit is enough; the element's title has the rest.
fn relative(age_ms: i64) -> String {
    let seconds = age_ms.unsigned_abs() / 1_000;
    let text = match seconds {
        0 => return "now".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        172_800.. => format!("{} d", seconds / 86_400),
    };
    if age_ms < 0 { format!("in {text}") } else { format!("{text} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_units() {
        assert_eq!(
            ["1", "999", "1,000", "1,234,567"],
            [1, 999, 1_000, 1_234_567].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(duration_ms(999), "999 ms");
        assert_eq!(duration_ms(1_250), "1.2 s");
        assert_eq!(duration_ms(61_000), "1 min 1 s");
        assert_eq!(duration_ms(90_061_000), "1 d 1 h");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(measure(0.5), "0.50");
        assert_eq!(measure(12_345.0), "12.3 k");
        assert_eq!(measure(2_041.7), "2,041");
        assert_eq!([-20_500, 300, 61_000, 7_200_000].map(relative), ["in 20 s", "now", "1 min ago", "2 h ago"]);
    }

    #[test]
    fn foreign_text_can_neither_end_an_element_nor_turn_a_line_around() {
        let shown = outside("<script>\u{202e}\n\"'&").into_string();
        assert_eq!(shown, "<bdi>&lt;script&gt;\\u{202e}\\u{a}&quot;'&amp;</bdi>");
        assert_eq!(path_part("a b/../ü?"), "a%20b%2F..%2F%C3%BC%3F");
        assert_eq!(path_part(".."), "%2E%2E");
    }
}
