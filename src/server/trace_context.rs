//! W3C Trace Context: the two texts that a command may carry for its event.

/// What `traceparent` must be.
pub(super) const TRACEPARENT_TAKES: &str = "traceparent must be a W3C one: VERSION-TRACE_ID-PARENT_ID-FLAGS, 2, 32, 16 and 2 lower-case hexadecimal digits, \
     where no id is all zeros";
/// What `tracestate` must be.
pub(super) const TRACESTATE_TAKES: &str = "tracestate must be a W3C one: at most 512 characters, 1 to 32 entries KEY=VALUE separated by commas, each key once";

/// A version that this program does not know may have more fields; whatever they are, they end here.
const TRACEPARENT_BYTES_MAX: usize = 512;
const TRACESTATE_BYTES_MAX: usize = 512;
const TRACESTATE_ENTRIES_MAX: usize = 32;

/// Whether a text is a `traceparent`.
pub(super) fn is_traceparent(text: &str) -> bool {
    let mut fields = text.splitn(5, '-');
    let mut field = |digits: usize| fields.next().filter(|field| field.len() == digits && field.bytes().all(is_hex));
    let (Some(version), Some(trace_id), Some(parent_id), Some(_flags)) = (field(2), field(32), field(16), field(2))
    else {
        return false;
    };
    let more_is_sound = match fields.next() {
        None => true,
        Some(more) => {
            version != "00" && text.len() <= TRACEPARENT_BYTES_MAX && more.bytes().all(|b| b.is_ascii_graphic())
        }
    };
    let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    version != "ff" && !is_zero(trace_id) && !is_zero(parent_id) && more_is_sound
}

/// Whether a text is a `tracestate`.
pub(super) fn is_tracestate(text: &str) -> bool {
    if text.len() > TRACESTATE_BYTES_MAX {
        return false;
    }
    let mut keys: Vec<&str> = Vec::new();
    for entry in text.split(',').map(|entry| entry.trim_matches([' ', '\t'])).filter(|entry| !entry.is_empty()) {
        let Some((key, value)) = entry.split_once('=') else { return false };
        if !is_key(key) || !is_value(value) || keys.contains(&key) {
            return false;
        }
        keys.push(key);
    }
    (1..=TRACESTATE_ENTRIES_MAX).contains(&keys.len())
}

const fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let later = |byte: u8| first(byte) || b"_-*/@".contains(&byte);
    let mut bytes = key.bytes();
    key.len() <= 256 && bytes.next().is_some_and(first) && bytes.all(later)
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_has_four_fields_that_are_not_zero() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(&good.replacen("00", "cc", 1)));
        assert!(is_traceparent(&format!("{}-what-comes-later", good.replacen("00", "cc", 1))));
        let bad = [
            String::new(),
            good.to_uppercase(),
            format!("{good}-"),
            format!("{good}-more"),
            good.replacen("00", "ff", 1),
            good.replacen("00", "0", 1),
            good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            good.replace("b7ad6b7169203331", &"0".repeat(16)),
            good.replace('b', "g"),
            good.replace('-', "_"),
            good.trim_end_matches("01").to_owned(),
            format!(" {good}"),
            format!("{}-{}", good.replacen("00", "cc", 1), "x".repeat(512)),
        ];
        for text in bad {
            assert!(!is_traceparent(&text), "{text}");
        }
    }

    #[test]
    fn a_tracestate_is_a_list_of_different_keys_with_values() {
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let good = ["rojo=00f067aa0ba902b7", "a=1,b=2", "a=1, b=2\t", "a=1,,b=2", "fw529a3039@dt=x y", "0a=~"];
        for text in good.map(str::to_owned).into_iter().chain([many(32), format!("a={}", "x".repeat(256))]) {
            assert!(is_tracestate(&text), "{text}");
        }
        let bad = ["", " ", ",", "a", "=1", "a=", "A=1", "a=1,a=2", "a=1=2", "a=\u{e4}", "a b=1", "_a=1", "a=\u{7f}"];
        let long = [many(33), format!("a={}", "x".repeat(257)), format!("a=1,{}", " ".repeat(512))];
        for text in bad.map(str::to_owned).into_iter().chain(long) {
            assert!(!is_tracestate(&text), "{text:?}");
        }
    }
}
