//! Orders over PostgreSQL are what they are over the journal; several daemons share them.

use std::sync::Barrier;

use serde_json::{Value, json};

use super::daemons::{Database, apply};
use crate::support::{Client, Daemon, error_kind, orderd, uuid};

#[test]
fn an_order_lives_its_life_and_survives_a_kill() {
    let database = Database::create();
    let store = database.daemon("a", "");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order_id, command_id) = (uuid(), uuid());
    let place = json!({"customer_id": uuid(), "total_amount": 1999, "order_id": order_id, "command_id": command_id,
        "metadata": {"channel": "web", "note": "it's \"new\""}});
    let placed = client.result("order.place", place.clone());
    assert_eq!((&placed["lsn"], &placed["duplicate"]), (&json!(1), &json!(false)));
    let again = client.result("order.place", place.clone());
    assert_eq!((&again["order"], &again["lsn"], &again["duplicate"]), (&placed["order"], &json!(1), &json!(true)));
    let completed = client.result("order.complete", json!({"order_id": order_id}));
    assert_eq!((&completed["order"]["status"], &completed["lsn"]), (&json!("completed"), &json!(2)));
    let mut other = place.clone();
    other["total_amount"] = json!(2000);
    assert_eq!(kind(client.call("order.place", other)), "command_id_conflict");
    assert_eq!(kind(client.call("order.complete", json!({"order_id": order_id}))), "invalid_transition");
    assert_eq!(kind(client.call("order.get", json!({"order_id": uuid()}))), "order_not_found");

    daemon.kill9();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let again = client.result("order.place", place);
    assert_eq!((&again["order"], &again["duplicate"]), (&placed["order"], &json!(true)), "as it was answered then");
    let reason = "ü".repeat(500);
    let cancelled = client.result("order.cancel", json!({"order_id": order_id, "reason": reason}));
    assert_eq!(client.result("order.get", json!({"order_id": order_id}))["order"], cancelled["order"]);
    let status = client.result("daemon.status", json!({}));
    assert_eq!(
        (&status["state"], &status["orders"]["count"], &status["outbox"]["last_sequence"]),
        (&json!("ready"), &json!(1), &json!(3))
    );
    assert_eq!(database.value("SELECT data -> 'metadata' ->> 'note' FROM outbox WHERE sequence = 1"), "it's \"new\"");
    assert_eq!(database.value("SELECT count(*) FROM writers"), "2", "that of the killed one stays until it is old");
    database.assert_sound();
    daemon.stop();
    assert_eq!(database.value("SELECT count(*) FROM writers"), "1");
}

/// An order that is placed, completed and cancelled in one batch; refusals and reads see what the batch did so far.
#[test]
fn a_pipelined_batch_is_one_story() {
    let database = Database::create();
    let store = database.daemon("a", "");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (order_id, command_id) = (uuid(), uuid());
    let calls = [
        (
            "order.place",
            json!({"customer_id": uuid(), "total_amount": 1, "order_id": order_id, "command_id": command_id}),
        ),
        ("order.complete", json!({"order_id": order_id})),
        ("order.complete", json!({"order_id": order_id})),
        ("order.cancel", json!({"order_id": order_id})),
        ("order.get", json!({"order_id": order_id})),
    ];
    let line = |(id, (method, params)): (usize, &(&str, Value))| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string() + "\n"
    };
    let lines: String = calls.iter().enumerate().map(line).collect();
    client.send_raw(lines);
    let answers: Vec<Value> = calls.iter().map(|_| client.read_answer()).collect();
    let statuses: Vec<_> = answers.iter().map(|answer| answer["result"]["order"]["status"].as_str()).collect();
    assert_eq!(statuses, [Some("placed"), Some("completed"), None, Some("cancelled"), Some("cancelled")]);
    let lsns: Vec<_> = answers.iter().map(|answer| answer["result"]["lsn"].as_u64()).collect();
    assert_eq!(lsns, [Some(1), Some(2), None, Some(3), None]);
    database.assert_sound();
}

#[test]
fn what_postgresql_cannot_hold_is_refused_and_harms_nobody() {
    let database = Database::create();
    let store = database.daemon("a", "");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order_id = client.place(1);
    let cancelled = client.call("order.cancel", json!({"order_id": order_id, "reason": "a\u{0}b"}));
    assert_eq!(kind(cancelled), "invalid_params");
    let placed = client.ask(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"order.place","params":{{"customer_id":"{}","total_amount":1,"metadata":{{"a":"\u0000"}}}}}}"#,
        uuid()
    ));
    assert_eq!(placed["error"]["data"]["kind"], "invalid_params", "{placed}");
    client.result("order.complete", json!({"order_id": order_id}));
}

/// Three daemons, the same orders and the same command ids through all of them at once.
#[test]
fn contested_orders_and_repeated_commands_are_carried_out_once() {
    const ROUNDS: usize = 40;
    const DAEMONS: usize = 3;
    let database = Database::create();
    let stores: Vec<_> = (0..DAEMONS).map(|number| database.daemon(&format!("d{number}"), "")).collect();
    let _daemons: Vec<Daemon> = stores.iter().map(Daemon::start).collect();
    let orders: Vec<[String; 2]> = (0..ROUNDS).map(|_| [uuid(), uuid()]).collect();
    let commands: Vec<String> = (0..ROUNDS).map(|_| uuid()).collect();
    let start = Barrier::new(DAEMONS);
    let answers: Vec<Vec<[Result<Value, Value>; 4]>> = std::thread::scope(|scope| {
        let run = |store| {
            let (orders, commands, start) = (&orders, &commands, &start);
            move || {
                let mut client = Client::connect(store);
                start.wait();
                let round = |([by_id, by_race], command): (&[String; 2], &String)| {
                    let place =
                        |order_id: &str| json!({"customer_id": order_id, "total_amount": 5, "order_id": order_id});
                    let mut repeated = place(by_id);
                    repeated["command_id"] = json!(command);
                    [
                        client.call("order.place", repeated),
                        client.call("order.place", place(by_race)),
                        client.call("order.complete", json!({"order_id": by_race})),
                        client.call("order.cancel", json!({"order_id": by_race})),
                    ]
                };
                orders.iter().zip(commands).map(round).collect()
            }
        };
        let threads: Vec<_> = stores.iter().map(|store| scope.spawn(run(store))).collect();
        threads.into_iter().map(|thread| thread.join().expect("every answer came")).collect()
    });
    for round in 0..ROUNDS {
        let of = |call: usize| answers.iter().map(move |daemon| &daemon[round][call]);
        let first: Vec<_> = of(0).map(|answer| answer.as_ref().expect("repeated, never refused")).collect();
        assert!(first.iter().all(|answer| answer["order"] == first[0]["order"] && answer["lsn"] == first[0]["lsn"]));
        assert_eq!(first.iter().filter(|answer| answer["duplicate"] == false).count(), 1, "{first:?}");
        for (call, refusal) in [(1, "order_exists"), (2, "invalid_transition"), (3, "invalid_transition")] {
            let done = of(call).filter(|answer| answer.is_ok()).count();
            assert!(done <= 1 && (done == 1 || call == 2), "call {call}: {done}");
            let refused = of(call).filter_map(|answer| answer.as_ref().err());
            refused.for_each(|error| assert_eq!(error["data"]["kind"], refusal, "{error}"));
        }
    }
    database.assert_sound();
    assert_eq!(database.value("SELECT count(*) FROM commands"), ROUNDS.to_string());
}

#[test]
fn the_schema_is_created_once_and_a_newer_one_is_refused() {
    let database = Database::create();
    let store = database.daemon("a", "");
    let again = apply(&store).expect(0);
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    let printed = orderd(&store, &["schema"]).expect(0);
    assert_eq!(printed.stdout.trim_end(), include_str!("../../SCHEMA.sql").trim_end());
    database.value("UPDATE store SET schema_version = 99");
    let refused = apply(&store).expect(78);
    assert!(refused.stderr.contains("version 99"), "{}", refused.stderr);
    assert!(Daemon::refused(&store).expect(78).stderr.contains("version 99"));
}

#[test]
fn what_is_the_journals_alone_says_so_and_a_password_is_never_shown() {
    let database = Database::create();
    let store = database.daemon("a", "");
    for command in [&["dump"][..], &["verify"], &["backup", "copy"]] {
        let refused = orderd(&store, command).expect(78);
        assert!(refused.stderr.contains("the journal's alone"), "{command:?}: {}", refused.stderr);
    }
    store.configure_raw("[store]\ntype = \"postgres\"\nurl = \"postgres://orderd:geheim@db/orders\"\n");
    let refused = orderd(&store, &["config", "check"]).expect(78);
    assert!(refused.stderr.contains("store.url") && !refused.stderr.contains("geheim"), "{}", refused.stderr);
    store.configure_raw("[store]\ntype = \"postgres\"\n");
    assert!(orderd(&store, &["config", "check"]).expect(78).stderr.contains("store.url_file"));
}

fn kind(answer: Result<Value, Value>) -> String {
    error_kind(&answer.expect_err("it is refused")).1.to_owned()
}
