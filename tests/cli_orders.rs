//! `orderd place`, `complete`, `cancel`, `get`: for people, and with `--json` for programs.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, events_of, keys, orderd, uuid};

#[test]
fn an_order_is_placed_completed_cancelled_and_read_from_a_shell() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let (order, customer) = (uuid(), uuid());
    let placed = orderd(&store, &["place", "--customer-id", &customer, "--total-amount", "4200", "--order-id", &order])
        .expect(0);
    assert!(placed.stdout.contains(&order), "the order is named: {}", placed.stdout);
    let commands: [&[&str]; 3] = [&["complete", &order], &["cancel", &order, "--reason", "too late"], &["get", &order]];
    for args in commands {
        let run = orderd(&store, args).expect(0);
        assert!(run.stdout.contains(&order), "{args:?}: {}", run.stdout);
        assert!(serde_json::from_str::<Value>(&run.stdout).is_err(), "a text for people: {}", run.stdout);
        assert_eq!(run.stderr, "", "{args:?}");
    }
    let got = Client::connect(&store).result("order.get", json!({"order_id": order}))["order"].clone();
    assert_eq!((&got["status"], &got["version"]), (&json!("cancelled"), &json!(3)));
    assert_eq!((&got["total_amount"], &got["customer_id"]), (&json!(4200), &json!(customer)));
    assert_eq!(events_of(&store, 3)[2]["data"]["reason"], "too late");
}

#[test]
fn json_is_the_result_object_on_one_line() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let placed = orderd(&store, &["place", "--customer-id", &uuid(), "--total-amount", "1", "--json"]).expect(0).json();
    assert_eq!(keys(&placed), ["duplicate", "lsn", "order"]);
    let order = placed["order"]["order_id"].as_str().unwrap().to_owned();
    let completed = orderd(&store, &["complete", &order, "--json"]).expect(0).json();
    assert_eq!(completed["order"]["status"], "completed");
    let cancelled = orderd(&store, &["cancel", &order, "--json"]).expect(0).json();
    assert_eq!(cancelled["order"]["status"], "cancelled");
    let got = orderd(&store, &["get", &order, "--json"]).expect(0).json();
    assert_eq!(got, json!({"order": cancelled["order"]}));
    assert_eq!(got, Client::connect(&store).result("order.get", json!({"order_id": order})));
    assert_eq!(events_of(&store, 3)[2]["data"]["reason"], Value::Null);
}

#[test]
fn a_command_id_makes_a_shell_command_safe_to_repeat() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let (order, customer) = (uuid(), uuid());
    let (place, complete, cancel) = (uuid(), uuid(), uuid());
    let commands: [&[&str]; 3] = [
        &[
            "place",
            "--customer-id",
            &customer,
            "--total-amount",
            "5",
            "--order-id",
            &order,
            "--command-id",
            &place,
            "--json",
        ],
        &["complete", &order, "--command-id", &complete, "--json"],
        &["cancel", &order, "--reason", "r", "--command-id", &cancel, "--json"],
    ];
    let firsts: Vec<Value> = commands.iter().map(|args| orderd(&store, args).expect(0).json()).collect();
    for (args, mut first) in commands.iter().zip(firsts) {
        assert_eq!(first["duplicate"], false);
        first["duplicate"] = json!(true);
        assert_eq!(orderd(&store, args).expect(0).json(), first, "{args:?}");
    }
}

#[test]
fn a_refused_command_says_why_in_one_line_and_exits_1() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let order = Client::connect(&store).place(1);
    let (unknown, long, customer) = (uuid(), "x".repeat(501), uuid());
    let refused: [(&[&str], &str); 7] = [
        (&["get", &unknown], &unknown),
        (&["complete", &unknown], &unknown),
        (&["cancel", &unknown, "--json"], &unknown),
        (&["get", &unknown, "--json"], &unknown),
        (&["cancel", &order, "--reason", &long], "reason"),
        (&["place", "--customer-id", &customer, "--total-amount", "1", "--order-id", &order], &order),
        (&["place", "--customer-id", &customer, "--total-amount", "9007199254740992"], "9007199254740991"),
    ];
    for (args, says) in refused {
        let run = orderd(&store, args);
        if args.contains(&"9007199254740992") && run.code == Some(64) {
            continue; // Refused before the daemon was asked: a usage error is as good.
        }
        let run = run.expect(1);
        let kind = run.stdout.contains("\"kind\":\"order_not_found\"");
        assert_eq!((run.stdout.is_empty(), kind), if args.contains(&"--json") { (false, true) } else { (true, false) });
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{args:?} does not say {says}: {}", run.stderr);
    }
    orderd(&store, &["complete", &order]).expect(0);
    let again = orderd(&store, &["complete", &order]).expect(1);
    assert!(again.stderr.contains("completed"), "the state is named: {}", again.stderr);
}

#[test]
fn status_is_a_text_for_people_and_an_object_with_json() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    events_of(&store, 1);
    let text = orderd(&store, &["status"]).expect(0).stdout;
    for word in ["ready", "events", env!("CARGO_PKG_VERSION")] {
        assert!(text.contains(word), "{word} is missing: {text}");
    }
    assert!(serde_json::from_str::<Value>(&text).is_err(), "a text for people: {text}");
    let status = orderd(&store, &["status", "--json"]).expect(0).json();
    assert_eq!(keys(&status), keys(&Client::connect(&store).status()));
    assert_eq!(status["orders"]["count"], 1);
}
