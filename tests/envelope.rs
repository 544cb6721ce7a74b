//! The envelope of a request: what is refused before a method is looked at, and which id the refusal carries.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, place_params, refuses, request, uuid};

const INVALID_REQUEST: (i64, &str) = (-32600, "invalid_request");
const METHOD_NOT_FOUND: (i64, &str) = (-32601, "method_not_found");
const INVALID_PARAMS: (i64, &str) = (-32602, "invalid_params");

#[test]
fn json_that_is_no_request_is_an_invalid_request_and_keeps_a_readable_id() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let batch = format!("[{}]", request(&json!(1), "order.place", &place_params(5)));
    refuses(
        &mut client,
        INVALID_REQUEST,
        &[
            // Batches, also of nothing.
            (batch.as_bytes(), Value::Null),
            (b"[]", Value::Null),
            (b"[1,2]", Value::Null),
            // Values that are not objects.
            (b"1", Value::Null),
            (b"\"order.place\"", Value::Null),
            (b"null", Value::Null),
            (b"true", Value::Null),
            (b"{}", Value::Null),
            // The version of the protocol.
            (br#"{"id":1,"method":"daemon.status"}"#, json!(1)),
            (br#"{"jsonrpc":"1.0","id":2,"method":"daemon.status"}"#, json!(2)),
            (br#"{"jsonrpc":2.0,"id":3,"method":"daemon.status"}"#, json!(3)),
            (br#"{"jsonrpc":null,"id":"four","method":"daemon.status"}"#, json!("four")),
            (br#"{"jsonrpc":"2.0 ","id":5,"method":"daemon.status"}"#, json!(5)),
            // The method.
            (br#"{"jsonrpc":"2.0","id":6}"#, json!(6)),
            (br#"{"jsonrpc":"2.0","id":7,"method":7}"#, json!(7)),
            (br#"{"jsonrpc":"2.0","id":8,"method":null}"#, json!(8)),
            (br#"{"jsonrpc":"2.0","id":9,"method":["daemon.status"]}"#, json!(9)),
            // Ids that are neither string nor number nor null.
            (br#"{"jsonrpc":"2.0","id":{"a":1},"method":"daemon.status"}"#, Value::Null),
            (br#"{"jsonrpc":"2.0","id":[1],"method":"daemon.status"}"#, Value::Null),
            (br#"{"jsonrpc":"2.0","id":true,"method":"daemon.status"}"#, Value::Null),
            // Members that no request has.
            (br#"{"jsonrpc":"2.0","id":10,"method":"daemon.status","meta":{}}"#, json!(10)),
            (br#"{"jsonrpc":"2.0","id":11,"method":"daemon.status","ID":11}"#, json!(11)),
            // Without an id and not a request: not a notification either.
            (br#"{"method":"daemon.status"}"#, Value::Null),
            (br#"{"jsonrpc":"2.0"}"#, Value::Null),
        ],
    );
    assert_eq!(client.status()["orders"]["count"], 0);
}

#[test]
fn a_key_given_twice_is_an_invalid_request_and_changes_nothing() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let params = place_params(5);
    let cases = [
        format!(r#"{{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"order.place","params":{params}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","method":"order.place","params":{params}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{params},"params":{params}}}"#),
        // The same key in another spelling is the same key.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{params},"par\u0061ms":{params}}}"#),
    ];
    for line in &cases {
        refuses(&mut client, INVALID_REQUEST, &[(line.as_bytes(), json!(1))]);
    }
    // Which of two ids would be the one? The code is what counts here.
    let answer = client.ask(&format!(r#"{{"jsonrpc":"2.0","id":1,"id":2,"method":"order.place","params":{params}}}"#));
    assert_error(&answer["error"], INVALID_REQUEST.0, INVALID_REQUEST.1);
    assert_eq!(client.status()["orders"]["count"], 0);
}

#[test]
fn an_unknown_method_is_not_found() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for method in ["", "order", "order.Place", "order.place ", "order.delete", "rpc.discover", "daemon.stop", "é"] {
        let line = request(&json!("m"), method, &json!({}));
        refuses(&mut client, METHOD_NOT_FOUND, &[(line.as_bytes(), json!("m"))]);
    }
}

#[test]
fn params_are_an_object() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (customer, order) = (uuid(), client.place(1));
    let by_position = json!([customer, 100]);
    for params in [json!([]), by_position, json!([{}]), json!(5), json!("x"), json!(true), Value::Null] {
        for method in ["order.place", "order.complete", "order.cancel", "order.get", "daemon.status"] {
            let line = request(&json!(1), method, &params);
            refuses(&mut client, INVALID_PARAMS, &[(line.as_bytes(), json!(1))]);
        }
    }
    for method in ["order.place", "order.complete", "order.cancel", "order.get"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        refuses(&mut client, INVALID_PARAMS, &[(line.as_bytes(), json!(1))]);
    }
    assert_eq!(client.result("order.get", json!({"order_id": order}))["order"]["version"], 1);
    assert_eq!(client.status()["orders"]["count"], 1);
}

#[test]
fn ids_come_back_as_they_were_sent() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let ids = [
        "0",
        "-1",
        "1.5",
        "1e3",
        "9007199254740993",
        "123456789012345678901234567890",
        "null",
        r#""""#,
        r#""null""#,
        r#""a \" \\ b""#,
        r#""größer""#,
        r#""\u00e9\n""#,
        r#""\ud83e\udd80""#,
    ];
    for id in ids {
        client.send_line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"daemon.status"}}"#));
        let text = client.read_line();
        assert!(text.contains(&format!(r#""id":{id}"#)), "the id {id} is not in {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.get("result").is_some(), "{id}: {text}");
    }
}

#[test]
fn white_space_and_the_order_of_members_do_not_matter() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let lines = [
        " \t{ \"jsonrpc\" : \"2.0\" , \"id\" : 1 , \"method\" : \"daemon.status\" } \t",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\r",
        "{\"params\":{},\"method\":\"daemon.status\",\"id\":1,\"jsonrpc\":\"2.0\"}",
        r#"{"jsonrpc":"2.0","\u0069d":1,"method":"daemon\u002estatus"}"#,
    ];
    for line in lines {
        let answer = client.ask(line);
        assert_eq!((&answer["id"], &answer["result"]["state"]), (&json!(1), &json!("ready")), "{line}: {answer}");
    }
}
