use super::*;

fn read(text: &str) -> Result<Value<'_>, NotJson> {
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Reads every value twice: as a whole, and, if it is an object, member by member.
fn is_json(text: &str) -> bool {
    let whole = read(text).is_ok();
    let mut reader = Reader::new(text);
    if reader.peek() == Some(b'{') {
        let by_member = reader.object(|reader, _| reader.value().map(drop)).and_then(|()| reader.end()).is_ok();
        assert_eq!(by_member, whole, "{text:?}");
    }
    whole
}

#[test]
fn values_keep_their_text_and_know_what_they_are() {
    let cases = [
        (r#""""#, Kind::Plain, Some("")),
        (r#""größer 🦀 than eight""#, Kind::Plain, Some("größer 🦀 than eight")),
        (r#""a\u0062\n\"\/""#, Kind::Escaped, Some("ab\n\"/")),
        (r#""\ud83e\udd80""#, Kind::Escaped, Some("🦀")),
        (r#""\ud800""#, Kind::Escaped, None),
        (r#""\udc00\ud800""#, Kind::Escaped, None),
        ("0", Kind::Number, None),
        ("-1.50e+10", Kind::Number, None),
        ("1e999", Kind::Number, None),
        ("true", Kind::Boolean, None),
        ("false", Kind::Boolean, None),
        ("null", Kind::Null, None),
        ("[1,[2]]", Kind::Array, None),
        (r#"{"a":{}}"#, Kind::Object, None),
    ];
    for (text, kind, string) in cases {
        for spaced in [text.to_owned(), format!(" \t{text}\r ")] {
            let value = read(&spaced).unwrap();
            assert_eq!((value.text, value.kind, value.as_str().as_deref()), (text, kind, string));
        }
    }
}

#[test]
fn special_bytes_are_found_wherever_they_stand() {
    for special in (0..0x20).chain([b'"', b'\\']) {
        for before in 0..40 {
            for other in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                let mut bytes = vec![other; before];
                bytes.push(special);
                bytes.extend([other; 9]);
                assert_eq!(plain_len(&bytes), before, "{special:#x} after {before} times {other:#x}");
                bytes.truncate(before);
                assert_eq!(plain_len(&bytes), before);
            }
        }
    }
}

#[test]
fn depth_costs_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        assert!(read(&deep).is_ok());
        assert!(read(&open.repeat(200_000)).is_err());
    }
}

/// A small generator of its own: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn it_takes_what_serde_json_takes_and_nothing_else() {
    let seeds = [
        r#"{"jsonrpc":"2.0","id":"a\u00e9\ud83e\udd80\"b","method":"order.place","params":{"total_amount":12050}}"#,
        r#" { "a" : [ true , false , null , { } , [ ] ] , "b" : -0.5e-7 , "c" : "größe" } "#,
        r#"{"id":-10,"x":1E+2,"y":[1,[2,[3]]],"z":{"w":{"v":"\\\/\b\f\n\r\t"}}}"#,
    ];
    let pieces = [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", "+", ".", "e", "E", "u", "\\u", "d800", "true", "nul",
        "null", " ", "\t", "\n", "\r", "\0", "\u{1f}", "ü", "🦀", "\u{feff}", "//", "'", "1.", "01", "\u{7f}",
        "\"a\":1",
    ];
    let seed = 0x00de_ad0d_a7a5_eed1;
    let mut random = Random(seed);
    for round in 0..60_000 {
        let mut text: Vec<char> = seeds[random.below(seeds.len())].chars().collect();
        for _ in 0..random.below(4) {
            let at = random.below(text.len());
            let until = at + random.below(3).min(text.len() - at);
            text.splice(at..until, pieces[random.below(pieces.len())].chars());
            if random.below(20) == 0 {
                text.truncate(random.below(text.len()).max(1));
            }
        }
        let text: String = text.into_iter().collect();
        let expected = serde_json::from_str::<&RawValue>(&text).is_ok();
        assert_eq!(is_json(&text), expected, "seed {seed:#x}, round {round}: {text:?}");
    }
}
