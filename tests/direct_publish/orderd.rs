//! The same crashes, with the real daemon.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, events, eventually, lines, uuid};

/// The sink is out of reach while the order is completed, and the process is killed right after its answer: the
/// event waits in the journal and nowhere else.
#[test]
fn orderd_killed_with_its_sink_out_of_reach_delivers_the_event_after_the_restart() {
    let store = Store::raw(
        "[daemon]\ndata_dir = \"data\"\nsocket = \"s\"\n\n\
         [[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"later/events.ndjson\"\n",
    );
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order_id = client.place(1999);
    let completed = client.result("order.complete", json!({"order_id": order_id}));
    daemon.kill9();

    let folder = store.path("later");
    assert!(!folder.exists(), "nothing was delivered before the kill");
    std::fs::create_dir(&folder).unwrap();
    let _daemon = Daemon::start(&store);
    let events = wait_for_distinct(&folder.join("events.ndjson"), 2);
    assert_event_of(find_completed(&events, &completed), &completed);
}

/// The sink is there; the kill comes as soon as the answer is read, wherever the relay is by then.
#[test]
fn orderd_killed_right_after_each_answer_loses_no_event() {
    const KILLS: usize = 10;
    // Small journal files: each start reads the last one to its end.
    let store = Store::with("", "[journal]\nsegment_bytes = 4194304\n");
    let mut answers = Vec::new();
    for _ in 0..KILLS {
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        let order_id = client.place(1999);
        answers.push(client.result("order.complete", json!({"order_id": order_id})));
        daemon.kill9();
    }
    let _daemon = Daemon::start(&store);
    let events = wait_for_distinct(&store.sink(), 2 * KILLS);
    for answer in &answers {
        assert_event_of(find_completed(&events, answer), answer);
    }
}

/// The caller that heard nothing sends its command again: one completion, one event.
#[test]
fn orderd_asked_again_after_the_kill_announces_one_completion_once() {
    let store = Store::new();
    let command = |order_id: &str, command_id: &str| json!({"order_id": order_id, "command_id": command_id});
    let command_id = uuid();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order_id = client.place(1999);
    let first = client.result("order.complete", command(&order_id, &command_id));
    daemon.kill9();

    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut again = client.result("order.complete", command(&order_id, &command_id));
    assert_eq!(again["duplicate"], true);
    again["duplicate"] = json!(false);
    assert_eq!(again, first, "the first answer");

    // An order placed after it is the last to arrive: whatever there was to deliver is in the file before it.
    client.place(1);
    wait_for_distinct(&store.sink(), 3);
    let of_order = events(&store.sink()).into_iter().filter(|event| event["subject"] == *order_id);
    let ids: BTreeSet<String> = of_order.map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 2, "placed once, completed once: {ids:?}");
}

/// Waits until the sink holds this many different lines, and returns all. A redelivery after a kill is byte for byte
/// the line before it and counts once.
#[track_caller]
fn wait_for_distinct(sink: &Path, count: usize) -> Vec<Value> {
    eventually(DEADLINE, &format!("{count} different events in the sink"), || {
        lines(sink).into_iter().collect::<BTreeSet<_>>().len() >= count
    });
    events(sink)
}

#[track_caller]
fn find_completed<'a>(events: &'a [Value], answer: &Value) -> &'a Value {
    let order_id = &answer["order"]["order_id"];
    let found = events.iter().find(|event| event["subject"] == *order_id && event["type"] == "OrderCompleted");
    found.unwrap_or_else(|| panic!("no event of the answered command {answer}"))
}

/// The event says what the client was told.
#[track_caller]
fn assert_event_of(event: &Value, answer: &Value) {
    let order = &answer["order"];
    assert_eq!(event["type"], "OrderCompleted");
    assert_eq!(event["subject"], order["order_id"]);
    assert_eq!(event["orderversion"], order["version"]);
    assert_eq!(event["time"], order["completed_at"]);
    for field in ["order_id", "customer_id", "total_amount", "completed_at"] {
        assert_eq!(event["data"][field], order[field], "{field}");
    }
}
