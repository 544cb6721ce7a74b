//! A journal's store with something of everything in it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::postgres::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, Program, Store, eventually, orderd, uuid};

/// Small files, of which those that nobody needs are gone: the journal does not reach back to its first plan.
const SMALL: &str = "[checkpoint]\nplans = 50\n[executor]\nbatch_bytes_max = 16384\n\
                     [journal]\nsegment_bytes = 65536\nretain_bytes = 0\n";
const SINKS: &str = "[[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"events.ndjson\"\nDAEMON\n\
                     [[sinks]]\nname = \"bus\"\ntype = \"subscription\"\nstart = \"now\"\n";

/// The store, and what a daemon on it was asked and told.
pub struct OldStore {
    pub store: Store,
    /// The daemon on the journal, until it is stopped.
    pub daemon: Option<Daemon>,
    /// `order.place` with command ids, as they were sent.
    pub commands: Vec<Value>,
    /// An order whose event the program had rejected, and that event.
    pub rejected: String,
    pub rejected_sequence: u64,
    /// Events that a replay has still to hand out.
    pub replayed: usize,
    /// What the program has settled: delivered, or parked.
    settled: BTreeSet<u64>,
    /// The first event that the program was to get.
    first: u64,
}

fn journal_config(sinks: &str) -> String {
    format!("[daemon]\nname = \"a\"\ndata_dir = \"data\"\nsocket = \"s\"\n\n{SMALL}\n{sinks}\n")
}

impl OldStore {
    /// Places, completes and cancels; then, in a store that was restored, has a program deliver out of order, reject and
    /// leave undone, has an operator park a lane and start a replay.
    pub fn fill() -> OldStore {
        let file_only = SINKS.split("[[sinks]]\nname = \"bus\"").next().unwrap().replace("DAEMON", "");
        let store = Store::raw(&journal_config(&file_only));
        let mut daemon = Daemon::start(&store);
        let mut commands = Vec::new();
        let mut client = Client::connect(&store);
        (0..400).for_each(|number| change(&mut client, number, &mut commands));
        eventually(DEADLINE, "the file has all", || client.status()["sinks"][0]["lag_events"] == 0);
        daemon.stop();
        orderd(&store, &["backup", "copy"]).expect(0);
        fs::rename(store.data_dir(), store.path("first")).unwrap();
        orderd(&store, &["restore", "copy", "--data-dir", "data"]).expect(0);

        store.configure_raw(&journal_config(&SINKS.replace("DAEMON", "")));
        let daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        let first = client.status()["outbox"]["last_sequence"].as_u64().unwrap() + 1;
        (400..500).for_each(|number| change(&mut client, number, &mut commands));
        let mut old = OldStore {
            store,
            daemon: Some(daemon),
            commands,
            rejected: String::new(),
            rejected_sequence: 0,
            replayed: 0,
            settled: BTreeSet::new(),
            first,
        };
        old.deliver_some(&mut client);
        old.operate(&mut client);
        old
    }

    /// Every third event stays undone; one is rejected, of an order that has no other.
    fn deliver_some(&mut self, client: &mut Client) {
        let mut consumer = Program::attach(&self.store, "bus");
        for number in 0..40 {
            let out = consumer.event();
            let amount = out.event["data"]["total_amount"].as_u64().unwrap();
            if self.rejected.is_empty() && number > 10 && amount.is_multiple_of(3) && !amount.is_multiple_of(5) {
                consumer.say("rejected", json!({"tag": out.tag, "reason": "a NUL: \u{0}, and no more"}));
                (self.rejected, self.rejected_sequence) = (out.order_id, out.sequence);
            } else if number % 3 < 2 {
                consumer.delivered(&[out.tag]);
            } else {
                continue;
            }
            self.settled.insert(out.sequence);
        }
        eventually(DEADLINE, "the lane is parked", || {
            let listed = client.result("lane.list", json!({"sink": "bus"}));
            listed["lanes"].as_array().unwrap().len() == 1
        });
    }

    fn operate(&mut self, client: &mut Client) {
        let held = client.place(77);
        client.result("lane.park", json!({"sink": "bus", "order_id": held, "reason": "by hand"}));
        let last = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
        self.settled.insert(last);
        for sink in ["events", "bus"] {
            client.result("sink.pause", json!({"sink": sink, "reason": "before it moves"}));
            client.result("sink.resume", json!({"sink": sink}));
        }
        // Nobody is attached to take it.
        let acked = acked(client);
        assert!(acked >= self.first, "some of it is settled without a gap");
        let replay = json!({"sink": "bus", "from": self.first, "to": acked});
        self.replayed = usize::try_from(client.result("replay.start", replay)["events"].as_u64().unwrap()).unwrap();
        eventually(DEADLINE, "the file has all", || client.status()["sinks"][0]["lag_events"] == 0);
    }

    pub fn stop(&mut self) {
        self.daemon.take().expect("it runs").stop();
    }

    /// From now on the folder's daemon keeps everything in this database, with more keys of `[store]`.
    pub fn configure_for(&self, database: &Database, keys: &str) {
        let sinks = SINKS.replace("DAEMON", "daemon = \"a\"");
        let url = database.server.url(&database.name);
        let store = format!("[store]\ntype = \"postgres\"\nurl = \"{url}\"\nbackoff_ms_max = 200\n{keys}\n");
        self.store.configure_raw(&format!(
            "[daemon]\nname = \"a\"\ndata_dir = \"data\"\nsocket = \"s\"\n\n{store}\n{sinks}\n"
        ));
    }

    /// What the program has still to get of events up to `last`.
    pub fn undelivered(&self, last: u64) -> Vec<u64> {
        (self.first..=last).filter(|sequence| !self.settled.contains(sequence)).collect()
    }
}

fn acked(client: &mut Client) -> u64 {
    let sinks = client.result("sink.list", json!({}));
    let bus = sinks["sinks"].as_array().unwrap().iter().find(|sink| sink["name"] == "bus").cloned();
    bus.expect("the sink is listed")["acked_sequence"].as_u64().unwrap()
}

fn change(client: &mut Client, number: u64, commands: &mut Vec<Value>) {
    let place = json!({"customer_id": uuid(), "total_amount": number, "command_id": uuid(), "order_id": uuid(),
        "metadata": {"note": format!("ü {number}")}, "traceparent": format!("00-{:032x}-{:016x}-01", number + 1, number + 1)});
    client.result("order.place", place.clone());
    let order_id = &place["order_id"];
    if !number.is_multiple_of(3) {
        client.result("order.complete", json!({"order_id": order_id}));
    }
    if number.is_multiple_of(5) {
        client.result("order.cancel", json!({"order_id": order_id, "reason": "too late"}));
    }
    commands.push(place);
}

/// What does not change by a migration, as a client sees it.
pub fn answers(store: &Store, commands: &[Value]) -> Vec<Value> {
    let mut client = Client::connect(store);
    let mut answers = Vec::new();
    for command in commands {
        let again = client.result("order.place", command.clone());
        assert_eq!(again["duplicate"], true);
        answers.push(again);
        answers.push(client.result("order.get", json!({"order_id": command["order_id"]})));
    }
    let lanes = client.result("lane.list", json!({"sink": "bus"}));
    for lane in lanes["lanes"].as_array().unwrap() {
        let lane = json!({"sink": "bus", "order_id": lane["order_id"]});
        answers.push(client.result("lane.show", lane)["events"].take());
    }
    answers.push(without_reasons(lanes));
    answers.push(decisions(&mut client));
    for replay in client.result("replay.list", json!({}))["replays"].as_array().unwrap() {
        answers.push(json!([replay["replay_id"], replay["sink"], replay["state"]]));
    }
    answers.push(client.status()["outbox"].take());
    answers.push(client.status()["orders"].take());
    answers
}

/// Those since the program was first there: the journal may let older ones go at any time.
fn decisions(client: &mut Client) -> Value {
    let mut listed = client.result("decision.list", json!({"limit": 1000}));
    let decisions = listed["decisions"].as_array_mut().unwrap();
    decisions.retain(|decision| !["registered", "restored"].contains(&decision["delivery"]["kind"].as_str().unwrap()));
    assert!(decisions.len() >= 7, "{decisions:?}");
    decisions.clone().into()
}

/// PostgreSQL holds U+FFFD in place of a reason's U+0000.
fn without_reasons(mut lanes: Value) -> Value {
    for lane in lanes["lanes"].as_array_mut().unwrap() {
        lane["reason"] = lane["reason"].as_str().unwrap().replace('\0', "\u{FFFD}").into();
    }
    lanes
}
