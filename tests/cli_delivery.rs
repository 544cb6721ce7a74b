//! An operator at work on a running daemon: parked lanes, pauses, skips, forgotten sinks.

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, eventually, orderd, request};

/// A store whose sink `mail` waits for a consumer.
fn store() -> Store {
    Store::with("", "[[sinks]]\nname = \"mail\"\ntype = \"subscription\"\n")
}

/// A program that is attached to `mail`.
struct Consumer(Client);

impl Consumer {
    #[track_caller]
    fn attach(store: &Store) -> Consumer {
        let mut client = Client::connect(store);
        client.result("sink.attach", json!({"sink": "mail", "protocol": 1, "program": "test"}));
        Consumer(client)
    }

    /// The next event that is handed out.
    #[track_caller]
    fn event(&mut self) -> Value {
        let line: Value = serde_json::from_str(&self.0.read_line()).unwrap();
        assert_eq!(line["method"], "event", "{line}");
        line["params"].clone()
    }

    /// The next event, which is delivered.
    #[track_caller]
    fn take(&mut self) -> Value {
        let event = self.event();
        self.say("delivered", &json!({"tags": [event["tag"]]}));
        event
    }

    fn say(&mut self, method: &str, params: &Value) {
        let mut line: Value = serde_json::from_str(&request(&Value::Null, method, params)).unwrap();
        line.as_object_mut().unwrap().remove("id");
        self.0.send_line(&line.to_string());
    }
}

fn lanes(store: &Store) -> Vec<Value> {
    let listed = orderd(store, &["lane", "list", "mail", "--json"]).expect(0).json();
    listed["lanes"].as_array().unwrap().clone()
}

/// Where the events of an order are at `mail`.
fn states(store: &Store, order: &str) -> Vec<String> {
    let traced = orderd(store, &["trace", order, "--json"]).expect(0).json();
    assert_eq!(traced["complete"], true);
    let at_mail = |event: &Value| {
        let sinks = event["sinks"].as_array().unwrap();
        sinks.iter().find(|sink| sink["name"] == "mail").unwrap()["state"].as_str().unwrap().to_owned()
    };
    traced["events"].as_array().unwrap().iter().map(at_mail).collect()
}

#[test]
fn a_rejected_order_is_found_shown_and_handed_out_again() {
    let store = store();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    let mut consumer = Consumer::attach(&store);
    let handed_out = consumer.event();
    assert_eq!(states(&store, &order), ["in_flight"]);
    consumer.say("rejected", &json!({"tag": handed_out["tag"], "reason": "unknown country"}));
    eventually(DEADLINE, "the lane is parked", || lanes(&store).len() == 1);
    client.result("order.complete", json!({"order_id": order}));
    eventually(DEADLINE, "later events join it", || lanes(&store)[0]["events"] == 2);
    assert_eq!(states(&store, &order), ["parked", "parked"]);
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let shown = orderd(&store, &["lane", "show", "mail", &order, "--json"]).expect(0).json();
    assert_eq!((&shown["lane"]["state"], &shown["lane"]["reason"]), (&json!("rejected"), &json!("unknown country")));
    assert_eq!(shown["events"][0], handed_out["event"], "the same bytes");
    let mut consumer = Consumer::attach(&store);
    let requeued =
        orderd(&store, &["lane", "requeue", "mail", "--all", "--reason", "mended", "--json"]).expect(0).json();
    assert_eq!((&requeued["lanes"], &requeued["events"]), (&json!(1), &json!(2)));
    for version in [1, 2] {
        let event = consumer.event();
        assert_eq!(event["event"]["orderversion"], version, "in order");
        consumer.say("delivered", &json!({"tags": [event["tag"]]}));
    }
    eventually(DEADLINE, "the lane is gone", || lanes(&store).is_empty());
    assert_eq!(states(&store, &order), ["delivered", "delivered"]);
    let kinds: Vec<_> = orderd(&store, &["dump"]).expect(0).stdout.lines().map(kind).collect();
    let decided: Vec<_> = kinds.iter().flatten().map(String::as_str).filter(|kind| *kind != "registered").collect();
    assert_eq!(decided[0], "parked");
    assert!(decided.contains(&"requeued") && decided.contains(&"delivered"), "{decided:?}");
}

/// What a line of `dump` says was decided.
fn kind(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).unwrap();
    line["delivery"]["kind"].as_str().map(str::to_owned)
}

#[test]
fn an_event_is_skipped_and_an_order_parked_by_hand() {
    let store = store();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let (first, second) = (client.place(1), client.place(2));
    for order in [&first, &second] {
        orderd(&store, &["lane", "park", "mail", order, "--reason", "in question"]).expect(0);
    }
    assert_eq!(lanes(&store).len(), 2);
    orderd(&store, &["lane", "skip", "mail", &first, "2", "--reason", "r"]).expect(1);
    orderd(&store, &["lane", "skip", "mail", &first, "1", "--reason", "booked by hand"]).expect(0);
    assert_eq!(states(&store, &first), ["skipped"]);
    assert_eq!(states(&store, &second), ["parked"]);
    orderd(&store, &["lane", "skip", "mail", &first, "1", "--reason", "r"]).expect(1);
    let held: Vec<_> = lanes(&store).iter().map(|lane| lane["state"].clone()).collect();
    assert_eq!(held, ["held"]);
    // A file has no lanes.
    let file = orderd(&store, &["lane", "park", "events", &first, "--reason", "r", "--json"]).expect(1).json();
    assert_eq!(file["data"]["kind"], "lane_not_found");
}

#[test]
fn a_paused_sink_stays_paused_over_a_restart_and_skips_what_it_is_told_to() {
    let store = store();
    let mut daemon = Daemon::start(&store);
    orderd(&store, &["sink", "pause", "mail", "--reason", "maintenance"]).expect(0);
    let mut client = Client::connect(&store);
    (1..=5).for_each(|amount| drop(client.place(amount)));
    daemon.stop();
    let _daemon = Daemon::start(&store);
    let shown = || orderd(&store, &["sink", "show", "mail", "--json"]).expect(0).json()["sink"].clone();
    assert_eq!(shown()["state"], "paused");
    let range = json!({"events": 4, "first_sequence": 1, "last_sequence": 4});
    assert_eq!(orderd(&store, &["sink", "skip-to", "mail", "5", "--dry-run", "--json"]).expect(0).json(), range);
    assert_eq!(orderd(&store, &["sink", "skip-to", "mail", "5", "--reason", "r", "--json"]).expect(0).json(), range);
    eventually(DEADLINE, "the cursor goes on", || shown()["acked_sequence"] == 4);
    orderd(&store, &["sink", "resume", "mail"]).expect(0);
    let mut consumer = Consumer::attach(&store);
    assert_eq!(consumer.event()["event"]["sequence"], "00000000000000000005");
}

#[test]
fn a_sink_is_forgotten_once_it_is_no_longer_configured() {
    let store = store();
    let mut daemon = Daemon::start(&store);
    assert_eq!(
        orderd(&store, &["sink", "forget", "mail", "--json"]).expect(1).json()["data"]["kind"],
        "sink_configured"
    );
    daemon.stop();
    store.configure("", "");
    let mut daemon = Daemon::start(&store);
    let states = |store: &Store| -> Vec<Value> {
        let listed = orderd(store, &["sink", "list", "--json"]).expect(0).json();
        listed["sinks"].as_array().unwrap().iter().map(|sink| json!([sink["name"], sink["state"]])).collect()
    };
    assert_eq!(states(&store)[1], json!(["mail", "stopped"]));
    orderd(&store, &["sink", "forget", "mail", "--reason", "replaced"]).expect(0);
    assert_eq!(states(&store).len(), 1);
    daemon.stop();
    let _daemon = Daemon::start(&store);
    assert_eq!(states(&store).len(), 1, "for good");
    assert_eq!(
        orderd(&store, &["sink", "forget", "mail", "--json"]).expect(1).json()["data"]["kind"],
        "sink_not_found"
    );
}

#[test]
fn a_range_is_handed_out_again_and_its_progress_listed() {
    let store = store();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (1..=4).for_each(|amount| drop(client.place(amount)));
    let mut consumer = Consumer::attach(&store);
    let first: Vec<Value> = (0..4).map(|_| consumer.take()).collect();
    let acked =
        || orderd(&store, &["sink", "show", "mail", "--json"]).expect(0).json()["sink"]["acked_sequence"].clone();
    eventually(DEADLINE, "all are acknowledged", || acked() == 4);
    let dry = orderd(&store, &["replay", "start", "mail", "--from", "2", "--to", "3", "--dry-run", "--json"]);
    assert_eq!(dry.expect(0).json()["events"], 2);
    let start = ["replay", "start", "mail", "--from", "2", "--to", "3", "--reason", "lost", "--json"];
    let started = orderd(&store, &start).expect(0).json();
    for event in &first[1..3] {
        let again = consumer.take();
        assert_eq!(again["event"], event["event"], "the same bytes");
        assert_eq!(again["replay"], started["replay_id"]);
    }
    let listed = || orderd(&store, &["replay", "list", "--json"]).expect(0).json()["replays"][0].clone();
    eventually(DEADLINE, "the replay is done", || listed()["state"] == "done");
    assert_eq!((&listed()["delivered"], &listed()["remaining"]), (&json!(2), &json!(0)));
    let beyond = orderd(&store, &["replay", "start", "mail", "--from", "1", "--to", "9", "--json"]).expect(1).json();
    assert_eq!(beyond["data"]["kind"], "out_of_range");
}
