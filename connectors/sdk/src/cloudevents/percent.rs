//! Percent-encoding of header values as the HTTP binding wants it.

/// Encodes space, `"`, `%` and everything that is not printable ASCII, byte by byte, with upper-case digits, once.
pub(super) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => push(&mut encoded, byte),
            0x21..=0x7e => encoded.push(char::from(byte)),
            _ => push(&mut encoded, byte),
        }
    }
    encoded
}

fn push(encoded: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    encoded.push('%');
    for digit in [byte >> 4, byte & 0xf] {
        encoded.push(DIGITS.get(usize::from(digit)).copied().map_or('0', char::from));
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn what_a_header_cannot_hold_is_encoded_once_in_upper_case() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(encode("100%\"x\"\n\u{7f}"), "100%25%22x%22%0A%7F");
        assert_eq!(encode("/orderd~!#$&'()*+,-.:;<=>?@[\\]^_`{|}"), "/orderd~!#$&'()*+,-.:;<=>?@[\\]^_`{|}");
    }
}
