//! Parked lanes, replays and waits, operated at a daemon that does not relay the sink.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::daemons::Database;
use crate::support::{Client, DEADLINE, Daemon, Program, Store, eventually, uuid};

const BUS: &str = "lease_ms = 3000\n[[sinks]]\nname = \"bus\"\ntype = \"subscription\"\n";

/// Two daemons; a program is attached to the first, which relays the sink. Operators ask the second.
struct Pair {
    database: Database,
    stores: [Store; 2],
    daemons: Vec<Daemon>,
    program: Program,
}

impl Pair {
    fn start(keys: &str) -> Pair {
        let database = Database::create();
        let stores = ["relay", "other"].map(|name| database.daemon(name, &format!("{keys}\n{BUS}")));
        let relay = Daemon::start(&stores[0]);
        let program = Program::attach(&stores[0], "bus");
        let other = Daemon::start(&stores[1]);
        Pair { database, stores, daemons: vec![relay, other], program }
    }

    fn operator(&self) -> Client {
        Client::connect(&self.stores[1])
    }

    /// Places orders at the second daemon; their ids.
    fn place(&self, count: u64) -> Vec<String> {
        let mut client = self.operator();
        (0..count).map(|amount| client.place(amount)).collect()
    }
}

fn lanes(client: &mut Client) -> Vec<Value> {
    client.result("lane.list", json!({"sink": "bus"}))["lanes"].as_array().unwrap().clone()
}

#[track_caller]
fn until_lanes(client: &mut Client, count: usize) -> Vec<Value> {
    eventually(DEADLINE, &format!("{count} lanes are parked"), || lanes(client).len() == count);
    lanes(client)
}

/// What `order.trace` says of the order's first event at the sink.
fn traced(client: &mut Client, order_id: &str) -> Value {
    client.result("order.trace", json!({"order_id": order_id}))["events"][0]["sinks"][0]["state"].clone()
}

#[test]
fn lanes_are_listed_requeued_skipped_and_parked_at_any_daemon() {
    let mut pair = Pair::start("");
    let mut operator = pair.operator();
    let orders = pair.place(4);
    for order_id in &orders[..2] {
        let out = pair.program.event();
        assert_eq!(out.order_id, *order_id);
        pair.program.say("rejected", json!({"tag": out.tag, "reason": "no \u{0} in here"}));
    }
    let parked = until_lanes(&mut operator, 2);
    assert!(parked.iter().all(|lane| lane["state"] == "rejected" && lane["events"] == 1), "{parked:?}");
    let shown = operator.result("lane.show", json!({"sink": "bus", "order_id": orders[0]}));
    assert_eq!(shown["events"][0]["subject"], json!(orders[0]), "{shown}");
    assert_eq!(traced(&mut operator, &orders[0]), "parked");

    operator.result("lane.requeue", json!({"sink": "bus", "order_id": orders[0], "reason": "it is mended"}));
    let again = loop {
        let out = pair.program.event();
        pair.program.delivered(&[out.tag]);
        if out.order_id == orders[0] {
            break out;
        }
    };
    assert_eq!((again.sequence, again.attempt), (1, 2));
    operator.result("lane.skip", json!({"sink": "bus", "order_id": orders[1], "sequence": 2, "reason": "never"}));
    until_lanes(&mut operator, 0);
    eventually(DEADLINE, "it was passed over", || traced(&mut operator, &orders[1]) == "skipped");

    let held = operator.place(9);
    operator.result("lane.park", json!({"sink": "bus", "order_id": held, "reason": "wait"}));
    let lane = until_lanes(&mut operator, 1).remove(0);
    assert_eq!((&lane["state"], &lane["order_id"]), (&json!("held"), &json!(held)));
    pair.daemons.iter_mut().for_each(Daemon::stop);
}

#[test]
fn what_is_parked_outlives_its_relay() {
    let mut pair = Pair::start("");
    let order_id = pair.place(1).remove(0);
    let out = pair.program.event();
    pair.program.rejected(out.tag);
    let mut operator = pair.operator();
    let parked = until_lanes(&mut operator, 1);
    operator.result("order.complete", json!({"order_id": order_id}));
    pair.daemons[0].kill9();
    let mut program = Program::attach(&pair.stores[1], "bus");
    eventually(DEADLINE, "its next event joins the lane", || lanes(&mut operator)[0]["events"] == 2);
    assert_eq!(lanes(&mut operator)[0]["since"], parked[0]["since"]);
    operator.result("lane.requeue", json!({"sink": "bus", "all": true}));
    for sequence in [1, 2] {
        let out = program.event();
        assert_eq!(out.sequence, sequence);
        program.delivered(&[out.tag]);
    }
    until_lanes(&mut operator, 0);
    assert_eq!(pair.database.value("SELECT count(*) FROM parked_events"), "0");
}

#[test]
fn replays_are_started_and_cancelled_at_any_daemon() {
    let mut pair = Pair::start("");
    let mut operator = pair.operator();
    pair.place(6);
    for _ in 0..6 {
        let out = pair.program.event();
        pair.program.delivered(&[out.tag]);
    }
    eventually(DEADLINE, "all is settled", || {
        operator.result("sink.show", json!({"sink": "bus"}))["sink"]["acked_sequence"] == 6
    });
    let started = operator.result("replay.start", json!({"sink": "bus", "from": 2, "to": 4}));
    for sequence in 2..=4 {
        let out = pair.program.event();
        assert_eq!((out.sequence, out.replay.as_deref()), (sequence, started["replay_id"].as_str()));
        pair.program.delivered(&[out.tag]);
    }
    let state = |operator: &mut Client, id: &Value| {
        let listed = operator.result("replay.list", json!({}));
        listed["replays"].as_array().unwrap().iter().find(|replay| replay["replay_id"] == *id).unwrap()["state"].clone()
    };
    eventually(DEADLINE, "the replay is done", || state(&mut operator, &started["replay_id"]) == "done");
    let slow = json!({"sink": "bus", "from": 1, "to": 6, "rate_events_per_s_max": 1});
    let slow = operator.result("replay.start", slow)["replay_id"].clone();
    pair.program.event();
    operator.result("replay.cancel", json!({"replay_id": slow}));
    eventually(DEADLINE, "the replay is cancelled", || state(&mut operator, &slow) == "cancelled");
}

#[test]
fn a_retry_asked_for_at_any_daemon_ends_the_wait_of_the_relay() {
    let mut pair = Pair::start("");
    pair.place(1);
    let out = pair.program.event();
    pair.program.say("unavailable", json!({"reason": "closed for the day", "retry_after_ms": 3_600_000}));
    let mut operator = pair.operator();
    eventually(DEADLINE, "the sink waits", || {
        operator.result("sink.show", json!({"sink": "bus"}))["sink"]["state"] == "retrying"
    });
    operator.result("sink.retry", json!({"sink": "bus"}));
    let again = pair.program.event();
    assert_eq!(again.sequence, out.sequence);
    pair.program.delivered(&[again.tag]);
    eventually(DEADLINE, "it is delivered", || {
        operator.result("sink.show", json!({"sink": "bus"}))["sink"]["acked_sequence"] == 1
    });
}

/// Pauses and resumes the sink.
fn decide(client: &mut Client, times: usize) {
    for _ in 0..times {
        client.result("sink.pause", json!({"sink": "bus", "reason": "a test"}));
        client.result("sink.resume", json!({"sink": "bus"}));
    }
}

#[test]
fn old_decisions_go_but_none_that_a_parked_lane_or_a_cursor_needs() {
    let mut pair = Pair::start("retain_decisions = 5\nmaintain_ms = 100");
    let mut operator = pair.operator();
    pair.place(2);
    let out = pair.program.event();
    pair.program.rejected(out.tag);
    until_lanes(&mut operator, 1);
    decide(&mut operator, 10);
    let kept = |database: &Database| database.value("SELECT count(*) FROM decisions").parse::<usize>().unwrap();
    let parked = "SELECT count(*) FROM decisions WHERE kind = 'parked'";
    // Whoever looks after it has had many turns meanwhile, or has them when the lane is gone.
    assert!(kept(&pair.database) > 20 && pair.database.value(parked) == "1");
    let next = pair.program.event();
    pair.program.delivered(&[next.tag]);
    operator.result("lane.skip", json!({"sink": "bus", "order_id": out.order_id, "sequence": 1, "reason": "never"}));
    eventually(DEADLINE, "the older ones are gone", || kept(&pair.database) == 5);
    let listed = operator.result("decision.list", json!({}));
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 5);
    decide(&mut operator, 3);
    pair.daemons.iter_mut().for_each(Daemon::stop);
    Daemon::start(&pair.stores[0]).stop();
}

#[test]
fn a_daemon_that_slept_while_decisions_went_ends_and_its_next_start_knows_them() {
    let pair = Pair::start("retain_decisions = 2\nmaintain_ms = 100");
    let Pair { database, stores, mut daemons, program } = pair;
    daemons[1].signal(Signal::STOP);
    let mut operator = Client::connect(&stores[0]);
    decide(&mut operator, 10);
    operator.result("sink.pause", json!({"sink": "bus", "reason": uuid()}));
    eventually(DEADLINE, "the older ones are gone", || database.value("SELECT count(*) FROM decisions") == "2");
    daemons[1].signal(Signal::CONT);
    eventually(DEADLINE, "the sleeper ends", || !daemons[1].is_running());
    assert!(daemons[1].stderr().contains("which this daemon has not read"), "{}", daemons[1].stderr());
    daemons[1] = Daemon::start(&stores[1]);
    let mut client = Client::connect(&stores[1]);
    eventually(DEADLINE, "it knows of the pause", || {
        client.result("sink.show", json!({"sink": "bus"}))["sink"]["state"] == "paused"
    });
    drop(program);
}
