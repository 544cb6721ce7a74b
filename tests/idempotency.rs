//! A command sent again with its `command_id` gets its first answer and changes nothing.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, assert_error, request, uuid};

/// The first answer as a repeat of the command must give it.
fn as_duplicate(first: &Value) -> Value {
    let mut expected = first.clone();
    expected["duplicate"] = json!(true);
    expected
}

/// One command of each kind, all of one order, with its first answer.
fn one_of_each(client: &mut Client) -> Vec<(&'static str, Value, Value)> {
    let order = uuid();
    let commands = [
        ("order.place", json!({"order_id": order, "customer_id": uuid(), "total_amount": 9, "command_id": uuid()})),
        ("order.complete", json!({"order_id": order, "command_id": uuid()})),
        ("order.cancel", json!({"order_id": order, "reason": "späť", "command_id": uuid()})),
        // The generated order id is part of the answer to remember.
        ("order.place", json!({"customer_id": uuid(), "total_amount": 0, "command_id": uuid()})),
    ];
    commands
        .into_iter()
        .map(|(method, params)| {
            let first = client.result(method, params.clone());
            assert_eq!(first["duplicate"], false);
            (method, params, first)
        })
        .collect()
}

#[track_caller]
fn repeats_are_answered_alike(client: &mut Client, commands: &[(&'static str, Value, Value)]) {
    let before = client.status();
    for (method, params, first) in commands {
        for _ in 0..2 {
            assert_eq!(&client.result(method, params.clone()), &as_duplicate(first), "{method} {params}");
        }
    }
    let after = client.status();
    assert_eq!(after["orders"], before["orders"]);
    assert_eq!(after["outbox"], before["outbox"], "a repeat raises no event");
}

#[test]
fn a_repeated_command_gets_its_first_answer_again() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let commands = one_of_each(&mut Client::connect(&store));
    // Another connection: the id belongs to the command, not to who sends it.
    repeats_are_answered_alike(&mut Client::connect(&store), &commands);
}

#[test]
fn a_repeated_command_gets_its_first_answer_after_kill_9() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut commands = Vec::new();
    for _ in 0..3 {
        commands.extend(one_of_each(&mut Client::connect(&store)));
        daemon.kill9();
        daemon = Daemon::start(&store);
        repeats_are_answered_alike(&mut Client::connect(&store), &commands);
    }
    daemon.stop();
    let _daemon = Daemon::start(&store);
    repeats_are_answered_alike(&mut Client::connect(&store), &commands);
}

#[test]
fn a_repeat_within_one_pipeline_is_a_repeat() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let params = json!({"customer_id": uuid(), "total_amount": 3, "command_id": uuid()});
    let lines: Vec<String> = (0..50).map(|id| request(&json!(id), "order.place", &params)).collect();
    let answers = client.pipeline(&lines);
    assert_eq!(answers[0]["result"]["duplicate"], false);
    let expected = as_duplicate(&answers[0]["result"]);
    for answer in &answers[1..] {
        assert_eq!(answer["result"], expected);
    }
    assert_eq!(client.status()["orders"]["count"], 1);
}

#[test]
fn letter_case_and_key_order_do_not_make_another_command() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order, customer, command) = (uuid(), uuid(), uuid());
    let first = client.result(
        "order.place",
        json!({"order_id": order, "customer_id": customer, "total_amount": 3, "command_id": command}),
    );
    let answer = client.ask(&format!(
        r#"{{"params":{{"total_amount":3,"command_id":"{}","customer_id":"{}","order_id":"{}"}},"id":1,"method":"order.place","jsonrpc":"2.0"}}"#,
        command.to_uppercase(),
        customer.to_uppercase(),
        order.to_uppercase(),
    ));
    assert_eq!(answer["result"], as_duplicate(&first));
}

#[test]
fn an_id_with_other_content_is_a_conflict_also_after_a_restart() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order, other) = (client.place(1), client.place(2));
    let (place, complete, cancel) = (uuid(), uuid(), uuid());
    let customer = uuid();
    client.result("order.place", json!({"customer_id": customer, "total_amount": 5, "command_id": place}));
    client.result("order.complete", json!({"order_id": order, "command_id": complete}));
    client.result("order.cancel", json!({"order_id": order, "reason": "a", "command_id": cancel}));
    let conflicts = [
        ("order.place", json!({"customer_id": customer, "total_amount": 6, "command_id": place})),
        ("order.place", json!({"customer_id": uuid(), "total_amount": 5, "command_id": place})),
        ("order.place", json!({"customer_id": customer, "total_amount": 5, "order_id": uuid(), "command_id": place})),
        ("order.complete", json!({"order_id": other, "command_id": complete})),
        ("order.cancel", json!({"order_id": order, "command_id": complete})),
        ("order.complete", json!({"order_id": order, "command_id": cancel})),
        ("order.cancel", json!({"order_id": order, "reason": "b", "command_id": cancel})),
        ("order.cancel", json!({"order_id": order, "command_id": cancel})),
        ("order.cancel", json!({"order_id": other, "reason": "a", "command_id": cancel})),
        // A conflict is told before the order is looked at.
        ("order.complete", json!({"order_id": uuid(), "command_id": place})),
    ];
    for _ in 0..2 {
        let before = client.status()["outbox"].clone();
        for (method, params) in &conflicts {
            let error = client.call(method, params.clone()).expect_err(&params.to_string());
            assert_error(&error, 1004, "command_id_conflict");
        }
        assert_eq!(client.status()["outbox"], before);
        daemon.kill9();
        daemon = Daemon::start(&store);
        client = Client::connect(&store);
    }
}

#[test]
fn the_order_id_that_place_made_up_is_not_part_of_the_command() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let params = json!({"customer_id": uuid(), "total_amount": 5, "command_id": uuid()});
    let first = client.result("order.place", params.clone());
    let mut named = params.clone();
    named["order_id"] = first["order"]["order_id"].clone();
    let error = client.call("order.place", named).unwrap_err();
    assert_error(&error, 1004, "command_id_conflict");
    assert_eq!(client.result("order.place", params), as_duplicate(&first));
}

#[test]
fn a_refused_command_is_not_remembered() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order, command) = (uuid(), uuid());
    let complete = json!({"order_id": order, "command_id": command});
    assert_error(&client.call("order.complete", complete.clone()).unwrap_err(), 1001, "order_not_found");
    client.result("order.place", json!({"order_id": order, "customer_id": uuid(), "total_amount": 5}));
    let completed = client.result("order.complete", complete);
    assert_eq!(completed["duplicate"], false);

    // Refused as invalid, then used for something else: no conflict.
    let command = uuid();
    let refused = json!({"order_id": order, "command_id": command});
    assert_error(&client.call("order.complete", refused).unwrap_err(), 1003, "invalid_transition");
    let cancelled = client.result("order.cancel", json!({"order_id": order, "command_id": command}));
    assert_eq!(cancelled["duplicate"], false);
}

#[test]
fn without_a_command_id_nothing_is_a_repeat() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let params = json!({"customer_id": uuid(), "total_amount": 5});
    for count in 1..=3 {
        assert_eq!(client.result("order.place", params.clone())["duplicate"], false);
        assert_eq!(client.status()["orders"]["count"], count);
    }
}

#[test]
fn the_last_command_ids_are_remembered_and_older_ones_forgotten() {
    const REMEMBERED: usize = 100;
    let store = Store::with("", &format!("[executor]\ncommand_ids_max = {REMEMBERED}\n"));
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let commands: Vec<Value> = (0..REMEMBERED + 20)
        .map(|amount| json!({"customer_id": uuid(), "total_amount": amount, "command_id": uuid()}))
        .collect();
    let firsts: Vec<Value> = commands.iter().map(|params| client.result("order.place", params.clone())).collect();
    for restart in [false, true] {
        if restart {
            daemon.kill9();
            daemon = Daemon::start(&store);
            client = Client::connect(&store);
        }
        for (params, first) in commands.iter().zip(&firsts).skip(20) {
            assert_eq!(client.result("order.place", params.clone()), as_duplicate(first));
        }
    }
    // The oldest is forgotten: the same command is a new one. (It pushes out the next oldest in turn.)
    let again = client.result("order.place", commands[19].clone());
    assert_eq!(again["duplicate"], false);
    assert_ne!(again["order"]["order_id"], firsts[19]["order"]["order_id"]);
    let pushed_out = client.result("order.place", commands[20].clone());
    assert_eq!(pushed_out["duplicate"], false, "the limit is exact");
}
