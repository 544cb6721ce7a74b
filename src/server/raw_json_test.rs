use super::*;

use read_value as read;

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
fn members_come_in_their_order_with_repeated_names() {
    let mut members = Vec::new();
    read_members(r#" {"a":1, "\u0061" : [2] ,"a":{"b":3}} "#, |name, value| members.push((name.text, value.text)))
        .unwrap();
    assert_eq!(members, [(r#""a""#, "1"), (r#""\u0061""#, "[2]"), (r#""a""#, r#"{"b":3}"#)]);
    for broken in ["", "{", "{}{}", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1,}"#, "{a:1}", r#"{1:2}"#, "[]", "1"] {
        assert!(read_members(broken, |_, _| {}).is_err(), "{broken}");
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
