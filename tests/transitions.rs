//! The life of an order: every command in every state, versions, and the form of each result.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, keys, uuid};

const ORDER_KEYS: [&str; 8] =
    ["cancelled_at", "completed_at", "customer_id", "order_id", "placed_at", "status", "total_amount", "version"];

/// Brings a new order into a state by the commands that lead there.
fn order_after(client: &mut Client, history: &[&str]) -> String {
    let order = client.place(250);
    for method in history {
        client.result(method, json!({"order_id": order}));
    }
    order
}

#[test]
fn every_command_in_every_state_does_what_the_table_says() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (complete, cancel) = ("order.complete", "order.cancel");
    let table: [(&[&str], &str, Option<&str>); 8] = [
        (&[], complete, Some("completed")),
        (&[], cancel, Some("cancelled")),
        (&[complete], complete, None),
        (&[complete], cancel, Some("cancelled")),
        (&[cancel], complete, None),
        (&[cancel], cancel, None),
        (&[complete, cancel], complete, None),
        (&[complete, cancel], cancel, None),
    ];
    for (history, method, status) in table {
        let order = order_after(&mut client, history);
        let before = client.result("order.get", json!({"order_id": order}))["order"].clone();
        let sequence_before = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
        let outcome = client.call(method, json!({"order_id": order}));
        let after = client.result("order.get", json!({"order_id": order}))["order"].clone();
        let sequence_after = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
        match status {
            Some(status) => {
                let result = outcome.unwrap_or_else(|error| panic!("{method} after {history:?}: {error}"));
                assert_eq!(result["order"], after, "the result is the order as it is now");
                assert_eq!(after["status"], status);
                assert_eq!(after["version"].as_u64(), before["version"].as_u64().map(|version| version + 1));
                assert_eq!(sequence_after, sequence_before + 1, "one event a change");
            }
            None => {
                let error = outcome.unwrap_err();
                assert_error(&error, 1003, "invalid_transition");
                let message = error["message"].as_str().unwrap();
                for status in ["completed", "cancelled"] {
                    assert!(!message.contains(&format!("is {status} and cannot become {status}")), "{message}");
                }
                assert_eq!(after, before, "a refused command changes nothing");
                assert_eq!(sequence_after, sequence_before, "a refused command raises nothing");
            }
        }
    }
}

#[test]
fn each_state_sets_its_own_time_and_keeps_the_others() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let placed = client.result("order.place", json!({"customer_id": uuid(), "total_amount": 5}))["order"].clone();
    assert_eq!((&placed["status"], &placed["version"]), (&json!("placed"), &json!(1)));
    assert!(placed["placed_at"].is_string());
    assert_eq!((&placed["completed_at"], &placed["cancelled_at"]), (&Value::Null, &Value::Null));

    let id = json!({"order_id": placed["order_id"]});
    let completed = client.result("order.complete", id.clone())["order"].clone();
    assert_eq!((&completed["status"], &completed["version"]), (&json!("completed"), &json!(2)));
    assert_eq!(completed["placed_at"], placed["placed_at"]);
    assert!(completed["completed_at"].is_string());
    assert_eq!(completed["cancelled_at"], Value::Null);

    let cancelled = client.result("order.cancel", id.clone())["order"].clone();
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(3)));
    assert_eq!(cancelled["completed_at"], completed["completed_at"]);
    assert!(cancelled["cancelled_at"].is_string());
    for key in ["order_id", "customer_id", "total_amount", "placed_at"] {
        assert_eq!(cancelled[key], placed[key], "{key} never changes");
    }
    assert_eq!(client.result("order.get", id), json!({"order": cancelled}));
}

#[test]
fn results_have_the_documented_members_and_no_others() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order, customer) = (uuid(), uuid());
    let params = json!({"order_id": order, "customer_id": customer, "total_amount": 42});
    let placed = client.result("order.place", params);
    let completed = client.result("order.complete", json!({"order_id": order}));
    let cancelled = client.result("order.cancel", json!({"order_id": order, "reason": "changed my mind"}));
    let mut lsn_before = 0;
    for result in [&placed, &completed, &cancelled] {
        assert_eq!(keys(result), ["duplicate", "lsn", "order"]);
        assert_eq!(keys(&result["order"]), ORDER_KEYS);
        assert_eq!(result["duplicate"], false);
        let lsn = result["lsn"].as_u64().unwrap();
        assert!(lsn > lsn_before, "lsn {lsn} after {lsn_before}");
        lsn_before = lsn;
    }
    assert_eq!(placed["order"]["order_id"], order);
    assert_eq!(placed["order"]["customer_id"], customer);
    assert_eq!(placed["order"]["total_amount"], 42);
    let got = client.result("order.get", json!({"order_id": order}));
    assert_eq!(keys(&got), ["order"]);
}

#[test]
fn an_order_is_placed_once() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let params = json!({"order_id": uuid(), "customer_id": uuid(), "total_amount": 42});
    let placed = client.result("order.place", params.clone());
    assert_error(&client.call("order.place", params.clone()).unwrap_err(), 1002, "order_exists");
    let mut other = params.clone();
    other["total_amount"] = json!(43);
    assert_error(&client.call("order.place", other).unwrap_err(), 1002, "order_exists");
    let got = client.result("order.get", json!({"order_id": params["order_id"]}));
    assert_eq!(got["order"], placed["order"]);
    assert_eq!(client.status()["orders"]["count"], 1);
}

#[test]
fn an_unknown_order_is_not_found() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    for method in ["order.complete", "order.cancel", "order.get"] {
        let order = uuid();
        let error = client.call(method, json!({"order_id": order})).unwrap_err();
        assert_error(&error, 1001, "order_not_found");
        assert!(error["message"].as_str().unwrap().contains(&order), "the message names the order: {error}");
    }
}

#[test]
fn an_order_placed_without_an_id_gets_a_version_7_uuid() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let ids: Vec<String> = (0..20).map(|amount| client.place(amount)).collect();
    for id in &ids {
        let parsed = uuid::Uuid::parse_str(id).unwrap();
        assert_eq!(parsed.get_version_num(), 7, "{id}");
        assert_eq!(&parsed.hyphenated().to_string(), id, "lower case, with hyphens");
    }
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}
