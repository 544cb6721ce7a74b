//! Many requests before the first answer: answers keep the order of the requests of their connection.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, error_kind, pause, request, uuid};

#[test]
fn good_and_bad_requests_mixed_are_answered_in_their_order() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut lines = Vec::new();
    let mut expected: Vec<(Value, &str)> = Vec::new();
    for round in 0..200 {
        let order = uuid();
        let id = |step: &str| json!(format!("{round}.{step}"));
        let mut add = |line: String, id: Value, outcome: &'static str| {
            lines.push(line);
            expected.push((id, outcome));
        };
        let place = json!({"order_id": order, "customer_id": uuid(), "total_amount": round});
        add(request(&id("place"), "order.place", &place), id("place"), "placed");
        add("{oops".into(), Value::Null, "parse_error");
        add(request(&id("get"), "order.get", &json!({"order_id": order})), id("get"), "placed");
        add(request(&id("unknown"), "order.undo", &json!({})), id("unknown"), "method_not_found");
        add(request(&id("complete"), "order.complete", &json!({"order_id": order})), id("complete"), "completed");
        add("[]".into(), Value::Null, "invalid_request");
        add(request(&id("again"), "order.complete", &json!({"order_id": order})), id("again"), "invalid_transition");
        add(request(&id("bad"), "order.cancel", &json!({"order_id": 5})), id("bad"), "invalid_params");
        add(request(&id("cancel"), "order.cancel", &json!({"order_id": order})), id("cancel"), "cancelled");
        add(request(&id("lost"), "order.get", &json!({"order_id": uuid()})), id("lost"), "order_not_found");
    }
    // A reader beside the writer: neither side's buffers decide whether this ends.
    let answers = in_parallel(&mut client, &lines);
    for (answer, (id, outcome)) in answers.iter().zip(&expected) {
        assert_eq!(&answer["id"], id, "{answer}");
        let got = match answer.get("error") {
            Some(error) => error_kind(error).1,
            None => answer["result"]["order"]["status"].as_str().unwrap(),
        };
        assert_eq!(&got, outcome, "{answer}");
    }
}

/// Sends in one thread and reads in this one.
fn in_parallel(client: &mut Client, lines: &[String]) -> Vec<Value> {
    let mut bytes = lines.join("\n");
    bytes.push('\n');
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, bytes.as_bytes()).expect("everything is sent"));
        lines.iter().map(|_| client.read_answer()).collect()
    })
}

#[test]
fn a_pipeline_longer_than_every_queue_is_answered_whole() {
    let store =
        Store::with("", "[server]\nin_flight_max = 8\n[executor]\nqueue_commands_max = 16\nbatch_commands_max = 4\n");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let lines: Vec<String> = (0..2000)
        .map(|id| request(&json!(id), "order.place", &json!({"customer_id": uuid(), "total_amount": id})))
        .collect();
    let answers = in_parallel(&mut client, &lines);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], id);
        assert_eq!(answer["result"]["order"]["total_amount"], id, "one connection within its limit: {answer}");
    }
}

#[test]
fn bytes_that_arrive_one_by_one_make_the_same_lines() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = uuid();
    let place = json!({"order_id": order, "customer_id": uuid(), "total_amount": 1});
    let text = format!(
        "{}\n{}\n",
        request(&json!("größe"), "order.place", &place),
        request(&json!(2), "order.get", &json!({"order_id": order})),
    );
    for byte in text.as_bytes() {
        client.send_raw([*byte]);
        if byte % 16 == 0 {
            pause(std::time::Duration::from_millis(1));
        }
    }
    let (placed, got) = (client.read_answer(), client.read_answer());
    assert_eq!((&placed["id"], &got["id"]), (&json!("größe"), &json!(2)));
    assert_eq!(placed["result"]["order"], got["result"]["order"]);
}

#[test]
fn connections_at_the_same_time_each_get_their_own_answers() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    std::thread::scope(|scope| {
        for client_number in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let mut client = Client::connect(store);
                let lines: Vec<String> = (0..100)
                    .map(|n| {
                        let params = json!({"customer_id": uuid(), "total_amount": client_number * 1000 + n});
                        request(&json!(format!("{client_number}-{n}")), "order.place", &params)
                    })
                    .collect();
                for (n, answer) in client.pipeline(&lines).iter().enumerate() {
                    assert_eq!(answer["id"], format!("{client_number}-{n}"));
                    assert_eq!(answer["result"]["order"]["total_amount"], client_number * 1000 + n);
                }
            });
        }
    });
    let status = Client::connect(&store).status();
    assert_eq!(status["orders"]["count"], 800);
    assert_eq!(status["outbox"]["last_sequence"], 800);
}
