//! The params of every method: what is taken, what is refused, and that a refusal names the param.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, uuid};

const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// Sends params as text, because some of them no JSON library would write.
#[track_caller]
fn refused(client: &mut Client, method: &str, params: &str, names: &str) {
    let answer = client.ask(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#));
    assert_eq!(answer["id"], 1, "{method} {params}: {answer}");
    assert!(answer.get("error").is_some(), "{method} {params} was not refused: {answer}");
    assert_error(&answer["error"], -32602, "invalid_params");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(names), "{method} {params}: the message does not name {names}: {message}");
}

/// A store with one placed order, to see that a refusal leaves it alone.
fn started() -> (Store, Daemon, Client, String) {
    let store = Store::new();
    let daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    (store, daemon, client, order)
}

#[track_caller]
fn nothing_happened(client: &mut Client, order: &str) {
    let status = client.status();
    assert_eq!(status["orders"]["count"], 1, "{status}");
    assert_eq!(status["outbox"]["last_sequence"], 1, "{status}");
    assert_eq!(client.result("order.get", json!({"order_id": order}))["order"]["status"], "placed");
}

#[test]
fn an_amount_is_a_whole_number_of_cents_within_bounds() {
    let (_store, _daemon, mut client, order) = started();
    let amounts = [
        "1.0",
        "0.0",
        "99.95",
        "1e2",
        "1E+2",
        "-1",
        "-9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551616",
        "100000000000000000000000000000",
        "1e400",
        "\"100\"",
        "\"\"",
        "null",
        "true",
        "[]",
        "[100]",
        "{}",
        "{\"cents\":100}",
    ];
    for amount in amounts {
        let params = format!(r#"{{"customer_id":"{UUID}","total_amount":{amount}}}"#);
        if amount == "1e400" {
            // A number beyond every range may already be no JSON number to the reader.
            let answer = client.ask(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{params}}}"#));
            assert!(matches!(answer["error"]["code"].as_i64(), Some(-32602 | -32700)), "{answer}");
            continue;
        }
        refused(&mut client, "order.place", &params, "total_amount");
    }
    nothing_happened(&mut client, &order);
    for amount in [0, 1, 9_007_199_254_740_990_u64, 9_007_199_254_740_991] {
        let placed = client.result("order.place", json!({"customer_id": UUID, "total_amount": amount}));
        assert_eq!(placed["order"]["total_amount"], amount);
    }
}

#[test]
fn ids_are_hyphenated_uuids() {
    let (_store, _daemon, mut client, order) = started();
    let forms = [
        "\"{67e55044-10b1-426f-9247-bb680e5fe0c8}\"",
        "\"67e5504410b1426f9247bb680e5fe0c8\"",
        "\"urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8\"",
        "\" 67e55044-10b1-426f-9247-bb680e5fe0c8\"",
        "\"67e55044-10b1-426f-9247-bb680e5fe0c8 \"",
        "\"67e55044-10b1-426f-9247-bb680e5fe0c\"",
        "\"67e55044-10b1-426f-9247-bb680e5fe0c88\"",
        "\"67e55044-10b1-426f-9247-bb680e5fe0cg\"",
        "\"67e55044-10b1426f-9247-bb680e5f-e0c8\"",
        "\"67e55044_10b1_426f_9247_bb680e5fe0c8\"",
        "\"67e55044-10b1-426f-9247-bb680e5fe0\u{ff43}8\"",
        "\"\"",
        "\"customer\"",
        "5",
        "null",
        "[]",
        "{}",
        "false",
    ];
    for form in forms {
        refused(&mut client, "order.place", &format!(r#"{{"customer_id":{form},"total_amount":1}}"#), "customer_id");
        let with_order = format!(r#"{{"customer_id":"{UUID}","total_amount":1,"order_id":{form}}}"#);
        refused(&mut client, "order.place", &with_order, "order_id");
        let with_command = format!(r#"{{"customer_id":"{UUID}","total_amount":1,"command_id":{form}}}"#);
        refused(&mut client, "order.place", &with_command, "command_id");
        for method in ["order.complete", "order.cancel"] {
            refused(&mut client, method, &format!(r#"{{"order_id":{form}}}"#), "order_id");
            refused(&mut client, method, &format!(r#"{{"order_id":"{order}","command_id":{form}}}"#), "command_id");
        }
        refused(&mut client, "order.get", &format!(r#"{{"order_id":{form}}}"#), "order_id");
    }
    nothing_happened(&mut client, &order);
}

#[test]
fn ids_are_taken_in_any_case_and_given_in_lower_case() {
    let (_store, _daemon, mut client, _) = started();
    let order = uuid();
    let params = json!({"customer_id": UUID.to_uppercase(), "total_amount": 1, "order_id": order.to_uppercase()});
    let placed = client.result("order.place", params);
    assert_eq!(placed["order"]["customer_id"], UUID);
    assert_eq!(placed["order"]["order_id"], order);
    let completed = client.result("order.complete", json!({"order_id": order.to_uppercase()}));
    assert_eq!(completed["order"]["order_id"], order);
    let got = client.result("order.get", json!({"order_id": order.to_uppercase()}));
    assert_eq!(got["order"], completed["order"]);
}

#[test]
fn required_params_are_required_and_named_when_missing() {
    let (_store, _daemon, mut client, order) = started();
    refused(&mut client, "order.place", r#"{"total_amount":1}"#, "customer_id");
    refused(&mut client, "order.place", &format!(r#"{{"customer_id":"{UUID}"}}"#), "total_amount");
    for method in ["order.complete", "order.cancel", "order.get"] {
        refused(&mut client, method, "{}", "order_id");
    }
    nothing_happened(&mut client, &order);
}

#[test]
fn unknown_params_are_refused_and_named() {
    let (_store, _daemon, mut client, order) = started();
    let id = format!(r#""order_id":"{order}""#);
    refused(&mut client, "order.place", &format!(r#"{{"customer_id":"{UUID}","total_amount":1,"note":"x"}}"#), "note");
    refused(
        &mut client,
        "order.place",
        &format!(r#"{{"customer_id":"{UUID}","total_amount":1,"Order_id":1}}"#),
        "Order_id",
    );
    refused(
        &mut client,
        "order.place",
        &format!(r#"{{"customer_id":"{UUID}","total_amount":1,"reason":"x"}}"#),
        "reason",
    );
    refused(&mut client, "order.complete", &format!(r#"{{{id},"reason":"x"}}"#), "reason");
    refused(&mut client, "order.complete", &format!(r#"{{{id},"now":"2020-01-01T00:00:00Z"}}"#), "now");
    refused(&mut client, "order.cancel", &format!(r#"{{{id},"total_amount":1}}"#), "total_amount");
    refused(&mut client, "order.get", &format!(r#"{{{id},"command_id":"{UUID}"}}"#), "command_id");
    refused(&mut client, "daemon.status", r#"{"verbose":true}"#, "verbose");
    nothing_happened(&mut client, &order);
}

#[test]
fn a_param_given_twice_is_refused() {
    let (_store, _daemon, mut client, order) = started();
    let id = format!(r#""order_id":"{order}""#);
    let twice = format!(r#"{{"customer_id":"{UUID}","total_amount":1,"total_amount":1}}"#);
    refused(&mut client, "order.place", &twice, "total_amount");
    // Another spelling of the same key is the same key.
    let spelled = format!(r#"{{"customer_id":"{UUID}","total_amount":1,"total\u005famount":1}}"#);
    refused(&mut client, "order.place", &spelled, "total_amount");
    for method in ["order.complete", "order.cancel", "order.get"] {
        refused(&mut client, method, &format!("{{{id},{id}}}"), "order_id");
    }
    refused(&mut client, "order.cancel", &format!(r#"{{{id},"reason":"a","reason":"a"}}"#), "reason");
    nothing_happened(&mut client, &order);
}

#[test]
fn a_reason_has_at_most_500_characters_whatever_their_bytes() {
    let (_store, _daemon, mut client, order) = started();
    for character in ["x", "é", "漢", "🦀"] {
        let reason = json!(character.repeat(501)).to_string();
        refused(&mut client, "order.cancel", &format!(r#"{{"order_id":"{order}","reason":{reason}}}"#), "reason");
    }
    for reason in ["null", "5", "true", "[]", "{}"] {
        refused(&mut client, "order.cancel", &format!(r#"{{"order_id":"{order}","reason":{reason}}}"#), "reason");
    }
    nothing_happened(&mut client, &order);
    for character in ["x", "é", "漢", "🦀"] {
        for length in [499, 500] {
            let order = client.place(1);
            let reason = character.repeat(length);
            let cancelled = client.result("order.cancel", json!({"order_id": order, "reason": reason}));
            assert_eq!(cancelled["order"]["status"], "cancelled");
        }
    }
}

#[test]
fn status_takes_no_params_or_an_empty_object() {
    let (_store, _daemon, mut client, _) = started();
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status","params":{}}"#,
    ] {
        let answer: Value = client.ask(line);
        assert_eq!(answer["result"]["state"], "ready", "{line}: {answer}");
    }
}
