//! Sinks beside each other: each its own cursor and retries; added later, taken out, put back.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Program, Store, events, events_of, eventually, lines, request};

fn file_sink(name: &str, more: &str) -> String {
    format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{name}.ndjson\"\n{more}\n")
}

fn sequences(store: &Store, name: &str) -> Vec<u64> {
    let sequence = |event: &Value| event["sequence"].as_str().unwrap().parse().unwrap();
    events(&store.path(&format!("{name}.ndjson"))).iter().map(sequence).collect()
}

fn sink_status(client: &mut Client, name: &str) -> Value {
    let status = client.status();
    let sinks = status["sinks"].as_array().unwrap();
    sinks.iter().find(|sink| sink["name"] == name).expect("the sink is listed").clone()
}

#[test]
fn a_failing_sink_holds_up_neither_commands_nor_another_sink() {
    let store = Store::with("", &file_sink("broken", ""));
    let broken = store.path("broken.ndjson");
    fs::create_dir(&broken).unwrap();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..50 {
        client.place(amount);
    }
    events_of(&store, 50);
    eventually(DEADLINE, "the healthy sink is done", || sink_status(&mut client, "events")["state"] == "idle");
    let sink = sink_status(&mut client, "broken");
    assert_eq!(sink["state"], "retrying", "{sink}");
    assert_eq!((&sink["acked_sequence"], &sink["lag_events"]), (&json!(0), &json!(50)));
    assert!(sink["last_error"].as_str().is_some_and(|error| error.contains("broken.ndjson")), "{sink}");
    let attempts = sink["attempts"].as_u64().unwrap();
    assert!(attempts >= 1, "{sink}");
    eventually(DEADLINE, "it is tried again and the lag grows older", || {
        let sink = sink_status(&mut client, "broken");
        sink["attempts"].as_u64().unwrap() > attempts && sink["lag_ms"].as_u64().unwrap() > 0
    });

    // What was in the way goes away: everything comes, in order, without a restart.
    fs::remove_dir(&broken).unwrap();
    eventually(DEADLINE, "the sink has caught up", || {
        let sink = sink_status(&mut client, "broken");
        sink["state"] == "idle" && sink["acked_sequence"] == 50 && sink["lag_events"] == 0
    });
    let sink = sink_status(&mut client, "broken");
    assert_eq!((&sink["attempts"], &sink["lag_ms"]), (&json!(0), &json!(0)), "{sink}");
    assert_eq!(lines(&broken), lines(&store.sink()));
}

#[test]
fn a_sink_whose_folder_is_missing_is_retried_and_not_fatal() {
    let store = Store::with("", "[[sinks]]\nname = \"far\"\ntype = \"file\"\npath = \"not/there/yet.ndjson\"\n");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    events_of(&store, 1);
    eventually(DEADLINE, "the sink is retried", || sink_status(&mut client, "far")["state"] == "retrying");
    fs::create_dir_all(store.path("not/there")).unwrap();
    eventually(DEADLINE, "the event", || lines(&store.path("not/there/yet.ndjson")).len() == 1);
}

#[test]
fn a_sink_added_later_starts_where_it_says() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..10 {
        client.place(amount);
    }
    events_of(&store, 10);
    daemon.stop();
    let added = [
        file_sink("default", ""),
        file_sink("beginning", "start = \"beginning\""),
        file_sink("now", "start = \"now\""),
    ];
    store.configure("", &added.concat());
    daemon = Daemon::start(&store);
    client = Client::connect(&store);
    assert_eq!(sink_status(&mut client, "now")["lag_events"], 0);
    for amount in 10..15 {
        client.place(amount);
    }
    for restart in [false, true] {
        if restart {
            // Where it started is decided once.
            daemon.kill9();
            daemon = Daemon::start(&store);
            client = Client::connect(&store);
            client.place(15);
        }
        let last = if restart { 16 } else { 15 };
        for name in ["events", "default", "beginning", "now"] {
            eventually(DEADLINE, name, || sequences(&store, name).last() == Some(&last));
        }
    }
    let firsts = |name: &str| {
        let mut seen = sequences(&store, name);
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    for name in ["events", "default", "beginning"] {
        assert_eq!(firsts(name), (1..=16).collect::<Vec<u64>>(), "{name}");
    }
    assert_eq!(firsts("now"), (11..=16).collect::<Vec<u64>>());
}

#[test]
fn a_sink_that_starts_now_misses_nothing_after_a_kill_before_its_first_event() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    store.configure("", &file_sink("now", "start = \"now\""));
    fs::create_dir(store.path("now.ndjson")).unwrap();
    daemon = Daemon::start(&store);
    Client::connect(&store).place(2);
    daemon.kill9();
    fs::remove_dir(store.path("now.ndjson")).unwrap();
    let _daemon = Daemon::start(&store);
    eventually(DEADLINE, "the event of the life before", || sequences(&store, "now") == [2]);
}

#[test]
fn a_sink_taken_out_and_put_back_goes_on_where_it_was() {
    let store = Store::with("", &file_sink("second", ""));
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    eventually(DEADLINE, "the first event", || sequences(&store, "second") == [1]);
    daemon.stop();
    store.configure("", "");
    daemon = Daemon::start(&store);
    client = Client::connect(&store);
    client.place(2);
    assert_eq!(client.status()["sinks"].as_array().unwrap().len(), 1);
    events_of(&store, 2);
    daemon.stop();
    assert_eq!(sequences(&store, "second"), [1]);
    // `start` says nothing to a sink that has a cursor.
    store.configure("", &file_sink("second", "start = \"now\""));
    let _daemon = Daemon::start(&store);
    eventually(DEADLINE, "what it missed", || sequences(&store, "second") == [1, 2]);
}

#[test]
fn the_stdout_sink_writes_one_event_a_line_and_nothing_else() {
    let store = Store::with("", "[[sinks]]\nname = \"out\"\ntype = \"stdout\"\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..20 {
        client.place(amount);
    }
    events_of(&store, 20);
    eventually(DEADLINE, "twenty lines on standard output", || daemon.stdout().matches('\n').count() == 20);
    daemon.stop();
    let stdout: Vec<String> = daemon.stdout().lines().map(str::to_owned).collect();
    assert_eq!(stdout, lines(&store.sink()));
}

#[test]
fn a_daemon_without_sinks_keeps_orders_all_the_same() {
    let store = Store::raw("[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    assert_eq!(client.status()["sinks"], json!([]));
    daemon.stop();
    // The outbox has kept the event for the sink that comes later.
    store.configure("", "");
    let _daemon = Daemon::start(&store);
    assert_eq!(events_of(&store, 1).len(), 1);
}

#[test]
fn a_sink_of_another_type_keeps_its_new_type_over_restarts() {
    let subscription = "[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\n";
    let store = Store::with("", &file_sink("bus", ""));
    Daemon::start(&store).stop();
    store.configure("", subscription);
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    let mut program = Program::attach(&store, "bus");
    let tag = program.event().tag;
    program.rejected(tag);
    eventually(DEADLINE, "its lane is parked", || sink_status(&mut client, "bus")["parked_lanes"] == 1);
    daemon.kill9();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    assert_eq!(sink_status(&mut client, "bus")["parked_lanes"], 1);
    daemon.stop();
    store.configure("", &file_sink("bus", ""));
    let refused = Daemon::refused(&store).expect(78);
    assert!(refused.stderr.contains("still has parked lanes"), "{}", refused.stderr);
}

/// A journal that holds some 2,000 decisions.
const SMALL_JOURNAL: &str = "[executor]\nbatch_bytes_max = 16384\n[checkpoint]\njournal_bytes = 65536\n\
    [journal]\nsegment_bytes = 65536\nbytes_max = 262144\nretain_bytes = 0\ndecisions_bytes = 16384\n";

#[test]
fn sinks_at_rest_keep_no_journal_of_decisions() {
    let store = Store::with("", &format!("{SMALL_JOURNAL}[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\n"));
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    client.result("sink.skip_to", json!({"sink": "bus", "sequence": "end", "reason": "nobody comes"}));
    let decisions = ["sink.pause", "sink.resume"].map(|method| request(&json!(1), method, &json!({"sink": "bus"})));
    let decisions: Vec<String> = decisions.iter().cycle().take(200).cloned().collect();
    eventually(4 * DEADLINE, "there were more decisions than the journal holds", || {
        client.pipeline(&decisions);
        client.status()["journal"]["durable_lsn"].as_u64().unwrap() > 6000
    });
    eventually(DEADLINE, "there is room again", || client.status()["state"] == "ready");
    client.place(2);
    events_of(&store, 2);
    daemon.kill9();
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(3);
    assert_eq!(events_of(&store, 3).len(), 3, "each came once");
    daemon.stop();
}
