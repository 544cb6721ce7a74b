//! Lines that are not one JSON value in UTF-8.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, place_params, refuses, request};

const PARSE_ERROR: (i64, &str) = (-32700, "parse_error");

#[test]
fn text_that_is_not_one_json_value_is_a_parse_error_and_changes_nothing() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let place = request(&json!(1), "order.place", &place_params(5));
    let twice = format!("{place} {place}");
    let glued = format!("{place}{place}");
    let followed = format!("{place} null");
    let after_comma = format!("{place},");
    let cut = &place[..place.len() - 1];
    let marked = format!("\u{feff}{place}");
    let deep =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"order.place\",\"params\":{}", "{\"a\":".repeat(5_000));
    refuses(
        &mut client,
        PARSE_ERROR,
        &[
            (b"hello", Value::Null),
            (b"{", Value::Null),
            (b"}", Value::Null),
            (cut.as_bytes(), Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\",}", Value::Null),
            (b"{'jsonrpc':'2.0','id':1,'method':'daemon.status'}", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":01,\"method\":\"daemon.status\"}", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":NaN,\"method\":\"daemon.status\"}", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"} // why", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon\tstatus\"}", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon\\xstatus\"}", Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\0", Value::Null),
            (b"\0\0\0", Value::Null),
            (twice.as_bytes(), Value::Null),
            (glued.as_bytes(), Value::Null),
            (followed.as_bytes(), Value::Null),
            (after_comma.as_bytes(), Value::Null),
            (marked.as_bytes(), Value::Null),
            (deep.as_bytes(), Value::Null),
        ],
    );
    assert_eq!(client.status()["orders"]["count"], 0);
}

#[test]
fn bad_utf8_anywhere_is_a_parse_error_and_changes_nothing() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    let cancel = |reason: &[u8]| {
        let head = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"order.cancel\",\"params\":{{\"order_id\":\"{order}\",\"reason\":\""
        );
        [head.as_bytes(), reason, b"\"}}"].concat()
    };
    // A lone continuation, a cut sequence, an overlong slash, a surrogate half, a byte that UTF-8 never has.
    for bytes in [&b"\x80"[..], b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80", b"\xff"] {
        refuses(&mut client, PARSE_ERROR, &[(&cancel(bytes), Value::Null)]);
    }
    let got = client.result("order.get", json!({"order_id": order}));
    assert_eq!(got["order"]["status"], "placed");
}

#[test]
fn half_a_surrogate_pair_is_never_taken_in() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    let lines = [
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"order.cancel","params":{{"order_id":"{order}","reason":"\ud800"}}}}"#
        ),
        format!(r#"{{"jsonrpc":"2.0","id":"\udc00","method":"order.cancel","params":{{"order_id":"{order}"}}}}"#),
    ];
    for line in lines {
        let answer = client.ask(&line);
        let code = answer["error"]["code"].as_i64();
        assert!(matches!(code, Some(-32700 | -32600 | -32602)), "{line}: {answer}");
    }
    let got = client.result("order.get", json!({"order_id": order}));
    assert_eq!(got["order"]["version"], 1);
}
