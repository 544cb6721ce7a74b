//! Replays of a `file` sink: the same lines again, in a file of their own beside the sink's.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, assert_error, eventually, lines, poll};

/// Places orders, and waits until the file has their events for good.
fn place(client: &mut Client, store: &Store, amounts: std::ops::Range<u64>) {
    let last = amounts.end;
    amounts.for_each(|amount| drop(client.place(amount)));
    eventually(DEADLINE, "all is acknowledged", || sink(client)["acked_sequence"] == last);
    assert_eq!(lines(&store.sink()).len() as u64, last);
}

fn sink(client: &mut Client) -> Value {
    client.status()["sinks"][0].clone()
}

/// Starts a replay of the sink `events`, and tells where its lines go.
fn start(client: &mut Client, store: &Store, params: Value) -> (Value, PathBuf) {
    let mut params = params;
    params["sink"] = json!("events");
    let started = client.result("replay.start", params);
    let path = store.path(&format!("events.ndjson.replay-{}", started["replay_id"].as_str().unwrap()));
    (started, path)
}

fn listed(client: &mut Client, replay_id: &Value) -> Value {
    let listed = client.result("replay.list", json!({}));
    listed["replays"].as_array().unwrap().iter().find(|replay| replay["replay_id"] == *replay_id).unwrap().clone()
}

fn wait_done(client: &mut Client, replay_id: &Value) {
    eventually(DEADLINE, "the replay is done", || listed(client, replay_id)["state"] == "done");
}

#[test]
fn a_replay_writes_the_same_lines_to_a_file_of_its_own() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..20);
    let live = lines(&store.sink());
    let (started, path) = start(&mut client, &store, json!({"from": 5, "to": 12}));
    let id = &started["replay_id"];
    assert_eq!(started, json!({"replay_id": id, "events": 8, "first_sequence": 5, "last_sequence": 12}));
    wait_done(&mut client, id);
    assert_eq!(lines(&path), live[4..12]);
    assert_eq!((lines(&store.sink()), sink(&mut client)["acked_sequence"].clone()), (live.clone(), json!(20)));
    let shown = json!({"replay_id": id, "sink": "events", "state": "done", "delivered": 8, "failed": 0,
        "remaining": 0, "eta_ms": null});
    assert_eq!(listed(&mut client, id), shown);
    daemon.stop();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(20);
    eventually(DEADLINE, "the next event", || lines(&store.sink()).len() == 21);
    assert_eq!((listed(&mut client, id), lines(&path)), (shown, live[4..12].to_vec()));
    let cursors = std::fs::read_dir(store.data_dir().join("store/cursors")).unwrap();
    assert_eq!(cursors.count(), 1, "a replay that has ended leaves no cursor");
}

#[test]
fn a_replay_takes_its_filters_and_two_run_side_by_side() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..10).map(|amount| client.place(amount)).collect();
    orders.iter().for_each(|order| drop(client.result("order.complete", json!({"order_id": order}))));
    eventually(DEADLINE, "all is acknowledged", || sink(&mut client)["acked_sequence"] == 20);
    let live = lines(&store.sink());
    let completed = json!({"from": 1, "to": 20, "types": ["OrderCompleted"]});
    let (completed, path) = start(&mut client, &store, completed);
    let (one, other) = start(&mut client, &store, json!({"from": 1, "to": 20, "order_id": orders[3]}));
    assert_eq!((&completed["events"], &one["events"]), (&json!(10), &json!(2)));
    wait_done(&mut client, &completed["replay_id"]);
    wait_done(&mut client, &one["replay_id"]);
    assert_eq!(lines(&path), live[10..]);
    assert_eq!(lines(&other), [live[3].clone(), live[13].clone()]);
}

#[test]
fn a_replay_keeps_to_its_rate_shows_how_far_it_is_and_can_be_cancelled() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..300);
    let params = json!({"from": 1, "to": 300, "rate_events_per_s_max": 50});
    let began = std::time::Instant::now();
    let (started, path) = start(&mut client, &store, params);
    let id = &started["replay_id"];
    eventually(DEADLINE, "some of it is there", || listed(&mut client, id)["delivered"].as_u64() >= Some(30));
    assert!(began.elapsed() >= Duration::from_millis(500), "30 events at 50 a second after {:?}", began.elapsed());
    let shown = listed(&mut client, id);
    let delivered = shown["delivered"].as_u64().unwrap();
    assert_eq!((&shown["state"], shown["remaining"].as_u64()), (&json!("running"), Some(300 - delivered)));
    assert!(shown["eta_ms"].as_u64().is_some_and(|eta| (1_000..60_000).contains(&eta)), "{shown}");
    // Live events go on beside it.
    place(&mut client, &store, 300..310);
    assert_eq!(client.result("replay.cancel", json!({"replay_id": id})), json!({}));
    eventually(DEADLINE, "it is cancelled", || listed(&mut client, id)["state"] == "cancelled");
    let shown = listed(&mut client, id);
    assert_eq!((&shown["remaining"], &shown["eta_ms"]), (&json!(0), &Value::Null));
    // The sink's worker hears of it at its next step; the replays to come are written by the same thread.
    let mut replay_all = || {
        let (next, _) = start(&mut client, &store, json!({"from": 1, "to": 310, "rate_events_per_s_max": 100_000}));
        wait_done(&mut client, &next["replay_id"]);
    };
    replay_all();
    let written = lines(&path);
    assert!(written.len() < 300, "{} lines of a cancelled replay", written.len());
    assert_eq!(written, lines(&store.sink())[..written.len()]);
    replay_all();
    assert_eq!(lines(&path), written);
}

#[test]
fn a_replay_survives_kills_and_repeats_no_line() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..200);
    let (started, path) = start(&mut client, &store, json!({"from": 11, "to": 190, "rate_events_per_s_max": 100}));
    for share in [20, 60, 100, 140] {
        eventually(DEADLINE, "it goes on", || lines(&path).len() >= share);
        daemon.kill9();
        assert!(lines(&path).len() < 180, "the kill has to come before the end");
        daemon = Daemon::start(&store);
    }
    let mut client = Client::connect(&store);
    let id = &started["replay_id"];
    wait_done(&mut client, id);
    assert_eq!(lines(&path), lines(&store.sink())[10..190]);
    assert_eq!(listed(&mut client, id)["delivered"], 180);
}

#[test]
fn a_paused_sink_pauses_its_replays_and_a_reopened_one_writes_on_in_a_new_file() {
    let store = Store::new();
    let daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..100);
    client.result("sink.pause", json!({"sink": "events"}));
    let (started, path) = start(&mut client, &store, json!({"from": 1, "to": 100, "rate_events_per_s_max": 100}));
    client.result("daemon.status", json!({}));
    assert!(poll(Duration::from_millis(300), || (!lines(&path).is_empty()).then_some(())).is_none());
    client.result("sink.resume", json!({"sink": "events"}));
    eventually(DEADLINE, "it begins", || lines(&path).len() >= 20);
    let rotated = store.path("rotated");
    std::fs::rename(&path, &rotated).unwrap();
    daemon.signal(Signal::HUP);
    wait_done(&mut client, &started["replay_id"]);
    assert_eq!([lines(&rotated), lines(&path)].concat(), lines(&store.sink()));
    assert!(!lines(&path).is_empty(), "the rest goes to a new file");
}

#[test]
fn a_file_sink_keeps_its_type_while_a_replay_runs_and_standard_output_has_none() {
    let store = Store::with("", "[[sinks]]\nname = \"out\"\ntype = \"stdout\"\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..50);
    let error = client.call("replay.start", json!({"sink": "out", "from": 1, "to": 2})).unwrap_err();
    assert_error(&error, -32602, "invalid_params");
    start(&mut client, &store, json!({"from": 1, "to": 50, "rate_events_per_s_max": 1}));
    daemon.stop();
    store.configure_raw(
        "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n\n[[sinks]]\nname = \"events\"\ntype = \"subscription\"\n\n\
         [[sinks]]\nname = \"out\"\ntype = \"stdout\"\n",
    );
    let refused = Daemon::refused(&store);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("events") && refused.stderr.contains("replay"), "{}", refused.stderr);
}

#[test]
fn a_replay_whose_file_cannot_be_written_waits_is_shown_and_holds_up_nobody() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..60);
    let (started, path) = start(&mut client, &store, json!({"from": 1, "to": 60, "rate_events_per_s_max": 50}));
    eventually(DEADLINE, "it begins", || !lines(&path).is_empty());
    // Neither file nor folder may be opened there any more.
    std::fs::rename(&path, store.path("moved")).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::remove_file(store.path("moved")).unwrap();
    eventually(DEADLINE, "the failure is shown", || {
        let shown = client.result("sink.show", json!({"sink": "events"}));
        shown["failures"].as_array().unwrap().iter().any(|failure| failure["reason"].to_string().contains(".replay-"))
    });
    place(&mut client, &store, 60..70);
    assert_eq!(sink(&mut client)["state"], "idle");
    std::fs::remove_dir(&path).unwrap();
    client.result("sink.retry", json!({"sink": "events"}));
    wait_done(&mut client, &started["replay_id"]);
    assert_eq!(lines(&path).last(), lines(&store.sink()).get(59));
}

#[test]
fn a_file_sink_keeps_to_the_rate_that_it_is_given() {
    let keys = "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n\n[[sinks]]\nname = \"events\"\ntype = \"file\"\n\
                path = \"events.ndjson\"\nrate_events_per_s_max = 40\n";
    let store = Store::raw(keys);
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let began = std::time::Instant::now();
    (0..60).for_each(|amount| drop(client.place(amount)));
    eventually(DEADLINE, "all is there", || lines(&store.sink()).len() == 60);
    assert!(began.elapsed() >= Duration::from_millis(1200), "60 events at 40 a second after {:?}", began.elapsed());
}

#[test]
fn one_replay_more_than_may_run_is_refused_until_one_has_ended() {
    let store = Store::with("", "[relay]\nreplays_max = 2\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    place(&mut client, &store, 0..20);
    client.result("sink.pause", json!({"sink": "events"}));
    let range = || json!({"sink": "events", "from": 1, "to": 20});
    let (first, _) = start(&mut client, &store, range());
    start(&mut client, &store, range());
    let refused = |client: &mut Client| {
        let error = client.call("replay.start", range()).unwrap_err();
        assert_error(&error, 1101, "overloaded");
        assert!(error["message"].as_str().unwrap().contains("replays_max"), "{error}");
    };
    refused(&mut client);
    assert_eq!(
        client.result("replay.start", json!({"sink": "events", "from": 1, "to": 20, "dry_run": true}))["events"],
        20
    );
    // They count over a kill, too.
    daemon.kill9();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    refused(&mut client);
    client.result("replay.cancel", json!({"replay_id": first["replay_id"]}));
    let (third, path) = start(&mut client, &store, range());
    client.result("sink.resume", json!({"sink": "events"}));
    wait_done(&mut client, &third["replay_id"]);
    assert_eq!(lines(&path), lines(&store.sink()));
}
