//! Kills of the daemon under an attached program: nothing is lost, little comes again, and the order holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::subscriptions::{bus, store_with, wait_for};
use crate::support::{Client, Daemon, Program, Store};

const IN_FLIGHT_MAX: u64 = 8;

/// What a consumer has seen over all runs.
#[derive(Default)]
struct Seen {
    delivered: BTreeSet<u64>,
    /// The last version of each order that was delivered.
    versions: BTreeMap<String, u64>,
    again: u64,
}

impl Seen {
    /// Takes events until the daemon is killed, or nothing more is expected.
    fn run(&mut self, consumer: &mut Program, events_max: usize, random: &mut fastrand::Rng) {
        let mut held = Vec::new();
        for _ in 0..events_max {
            let Some(out) = consumer.try_event() else { return };
            let version = out.event["orderversion"].as_u64().unwrap();
            let before = self.versions.get(&out.order_id).copied().unwrap_or(0);
            assert!(version <= before + 1, "event {} of an order overtakes", out.sequence);
            held.push((out, version));
            let at = random.usize(..held.len());
            let (out, version) = held.swap_remove(at);
            match random.u8(..20) {
                0 => consumer.try_say("failed", json!({"tag": out.tag, "reason": "at random"})),
                1 => held.push((out, version)),
                _ => {
                    consumer.try_say("delivered", json!({"tags": [out.tag]}));
                    self.again += u64::from(!self.delivered.insert(out.sequence));
                    let known = self.versions.entry(out.order_id).or_default();
                    *known = version.max(*known);
                }
            }
            if held.len() > 4 {
                let (out, version) = held.remove(0);
                consumer.try_say("delivered", json!({"tags": [out.tag]}));
                self.again += u64::from(!self.delivered.insert(out.sequence));
                let known = self.versions.entry(out.order_id).or_default();
                *known = version.max(*known);
            }
        }
    }
}

fn change(client: &mut Client, orders: &mut Vec<String>, random: &mut fastrand::Rng) {
    if orders.is_empty() || random.bool() {
        orders.push(client.place(7));
        return;
    }
    let order_id = orders.swap_remove(random.usize(..orders.len()));
    if random.bool() {
        client.result("order.complete", json!({"order_id": order_id}));
        client.result("order.cancel", json!({"order_id": order_id}));
    } else {
        client.result("order.complete", json!({"order_id": order_id}));
    }
}

fn killed(store: &Store, seen: &mut Seen, orders: &mut Vec<String>, random: &mut fastrand::Rng) {
    let mut daemon = Daemon::start(store);
    let mut client = Client::connect(store);
    let mut consumer = Program::attach(store, "bus");
    let changes = random.usize(5..40);
    (0..changes).for_each(|_| change(&mut client, orders, random));
    let waiting = usize::try_from(bus(&mut client)["lag_events"].as_u64().unwrap()).unwrap();
    // Some of what is in flight is never answered before the kill.
    seen.run(&mut consumer, waiting.min(random.usize(1..30)), random);
    daemon.kill9();
}

#[test]
fn kills_lose_nothing_keep_the_order_and_repeat_no_more_than_promised() {
    const KILLS: u64 = 12;
    let store = store_with(&format!("in_flight_max = {IN_FLIGHT_MAX}"));
    let seed = 20_261_128;
    println!("seed {seed}");
    let (mut random, mut seen) = (fastrand::Rng::with_seed(seed), Seen::default());
    let mut orders = Vec::new();
    for _ in 0..KILLS {
        killed(&store, &mut seen, &mut orders, &mut random);
    }
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let last = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
    let mut consumer = Program::attach(&store, "bus");
    let take_the_rest = move || {
        while let Some(out) = consumer.try_event() {
            seen.again += u64::from(!seen.delivered.insert(out.sequence));
            consumer.try_say("delivered", json!({"tags": [out.tag]}));
        }
        seen
    };
    let rest = std::thread::Builder::new().name("consumer".into()).spawn(take_the_rest).unwrap();
    wait_for(&mut client, "all is settled", |bus| bus["acked_sequence"] == last && bus["parked_lanes"] == 0);
    daemon.stop();
    let seen = rest.join().unwrap();
    assert_eq!(seen.delivered.len() as u64, last);
    // In flight, and at most what 100 ms and one save had not recorded: here that is a run's worth of events.
    assert!(seen.again <= KILLS * (IN_FLIGHT_MAX + 30), "{} events came again", seen.again);
}
