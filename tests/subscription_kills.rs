//! SIGKILL under a program that misbehaves, an operator at work and a client: nothing is lost, nothing overtakes, little
//! comes again, and what the operator was answered is on record.
//!
//! `ORDERD_DELIVERY_KILLS` says how often (default 100), `ORDERD_SEED` repeats a run's choices.

mod consumer;
mod operator;
mod verdict;

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use self::consumer::{Consumer, Notes};
use self::operator::Operator;
use self::verdict::Truth;
use crate::load::{Rng, count, seed};
use crate::subscriptions::{bus, wait_for};
use crate::support::{Client, DEADLINE, Daemon, Program, Store, eventually, pause, place_params, request};

/// Kills in one store before the next is begun.
const KILLS_A_STORE: u64 = 100;

pub const IN_FLIGHT_MAX: usize = 8;

/// Each limit is reached now and then; the journal rotates, and is kept for `dump`.
const SECTIONS: &str = "
[executor]
batch_bytes_max = 32768

[journal]
segment_bytes = 131072

[checkpoint]
plans = 300

[relay]
cursor_events_max = 10
cursor_ms_max = 20

[[sinks]]
name = \"bus\"
type = \"subscription\"
in_flight_max = 8
window_events_max = 64
attempts_max = 3
parked_events_max = 60
rejected_in_a_row_max = 10
backoff_ms_min = 1
backoff_ms_max = 20
";

/// What happened over all lives.
#[derive(Debug, Default)]
pub struct Totals {
    pub kills: u64,
    pub events: u64,
    pub again: u64,
    pub rejected: u64,
    pub failed: u64,
    pub unavailable: u64,
    pub vanished: u64,
    pub taken_over: u64,
    pub closed: u64,
    pub replayed: u64,
    pub parked_by_hand: u64,
    pub requeued: u64,
    pub skipped: u64,
    pub paused: u64,
    pub halted: u64,
}

#[test]
fn kills_under_a_misbehaving_program_and_an_operator_lose_nothing_and_keep_the_order() {
    let kills = count("ORDERD_DELIVERY_KILLS", 100);
    let mut rng = Rng::new(seed("subscription_kills"));
    let mut totals = Totals::default();
    while totals.kills < kills {
        let number = KILLS_A_STORE.min(kills - totals.kills);
        kill_one_store(number, &mut rng.fork(totals.kills), &mut totals);
        println!("{totals:?}");
    }
    if kills >= KILLS_A_STORE {
        // A run that met none of this would have proved nothing.
        let met = [
            totals.rejected,
            totals.failed,
            totals.unavailable,
            totals.vanished,
            totals.taken_over,
            totals.closed,
            totals.replayed,
            totals.parked_by_hand,
            totals.requeued,
            totals.skipped,
            totals.paused,
        ];
        assert!(met.iter().all(|times| *times > 0), "everything that happens sometimes has happened: {totals:?}");
    }
}

fn kill_one_store(kills: u64, rng: &mut Rng, totals: &mut Totals) {
    let store = Store::with("", SECTIONS);
    let orders = Mutex::new(Vec::new());
    let mut notes = Notes::default();
    let mut operator = Operator::new();
    for life in 0..kills {
        let mut daemon = Daemon::start(&store);
        operator.check_start(&bus(&mut Client::connect(&store)));
        std::thread::scope(|scope| {
            let (store, orders, operator, notes) = (&store, &orders, &mut operator, &mut notes);
            let [changing, operating, consuming] = [rng.fork(life), rng.fork(life), rng.fork(life)];
            scope.spawn(move || change(store, orders, changing));
            scope.spawn(move || operator.work(store, orders, operating));
            scope.spawn(move || Consumer::new(store, notes, consuming).work());
            pause(Duration::from_micros(10_000 + rng.below(90_000)));
            assert!(daemon.is_running(), "nothing but the kill ends it: {}", daemon.stderr());
            daemon.kill9();
        });
        notes.killed();
    }
    finish(&store, &mut notes);
    let truth = Truth::read(&store);
    truth.judge(&notes, totals);
    operator.judge(&truth, totals);
    totals.kills += kills;
}

/// A client places and changes orders until the daemon is gone.
fn change(store: &Store, orders: &Mutex<Vec<String>>, mut rng: Rng) {
    let Ok(mut client) = Client::try_connect(&store.socket()) else { return };
    loop {
        let (method, params) = match any(&orders.lock().unwrap(), &mut rng).cloned() {
            Some(order_id) if rng.chance(40) => ("order.complete", json!({"order_id": order_id})),
            Some(order_id) if rng.chance(20) => ("order.cancel", json!({"order_id": order_id})),
            _ => ("order.place", place_params(7)),
        };
        let Some(answer) = try_call(&mut client, method, &params) else { return };
        if let Some(order_id) = answer["result"]["order"]["order_id"].as_str().filter(|_| method == "order.place") {
            orders.lock().unwrap().push(order_id.to_owned());
        }
    }
}

pub fn any<'a, T>(from: &'a [T], rng: &mut Rng) -> Option<&'a T> {
    let at = rng.below(from.len().max(1) as u64);
    from.get(usize::try_from(at).expect("a small number"))
}

/// The whole answer; `None` once the daemon is gone.
pub fn try_call(client: &mut Client, method: &str, params: &Value) -> Option<Value> {
    client.try_send_raw(format!("{}\n", request(&json!(1), method, params))).ok()?;
    let line = client.try_read_line().ok()??;
    Some(serde_json::from_str(&line).expect("an answer is JSON"))
}

/// From here on everybody behaves, and everything comes to its end; then the daemon stops.
fn finish(store: &Store, notes: &mut Notes) {
    let mut daemon = Daemon::start(store);
    let mut client = Client::connect(store);
    client.result("sink.resume", json!({"sink": "bus"}));
    let last = client.status()["outbox"]["last_sequence"].clone();
    let mut program = Program::attach(store, "bus");
    notes.attached();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(out) = program.try_event() {
                let tag = out.tag;
                notes.handed_out(out);
                notes.delivered(tag);
                program.try_say("delivered", json!({"tags": [tag]}));
            }
        });
        eventually(DEADLINE * 2, "all is settled", || {
            let shown = bus(&mut client);
            if shown["state"] == "halted" {
                client.result("sink.resume", json!({"sink": "bus"}));
            }
            client.result("lane.requeue", json!({"sink": "bus", "all": true}));
            let replays = client.result("replay.list", json!({}));
            let runs = replays["replays"].as_array().unwrap().iter().any(|replay| replay["state"] == "running");
            shown["acked_sequence"] == last && shown["parked_lanes"] == 0 && !runs
        });
        wait_for(&mut client, "nothing is left", |bus| bus["lag_events"] == 0 && bus["in_flight"] == 0);
        let file = || client.status()["sinks"][0]["lag_events"] == 0;
        eventually(DEADLINE, "the file has all", file);
        daemon.stop();
    });
}
