//! What a sink that starts with a snapshot must get: kept from the answers to commands, compared with what came.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::support::Client;

/// Every order with its states so far.
pub struct Ledger {
    /// Version 1 first, as the answers had them.
    states: BTreeMap<String, Vec<Value>>,
    /// How many versions each order had at the position.
    as_of: BTreeMap<String, usize>,
    position: u64,
    random: fastrand::Rng,
}

/// What came out of a sink, over all runs.
#[derive(Default)]
pub struct Seen {
    /// Each event once, in the order in which they came first.
    first: Vec<Value>,
    by_id: HashMap<String, Value>,
    /// How many came again.
    pub again: u64,
}

impl Ledger {
    pub fn new(seed: u64) -> Ledger {
        println!("seed {seed}");
        let random = fastrand::Rng::with_seed(seed);
        Ledger { states: BTreeMap::new(), as_of: BTreeMap::new(), position: 0, random }
    }

    /// Places an order, or changes one.
    pub fn change(&mut self, client: &mut Client) {
        let order_id = self.random.choice(self.states.keys()).cloned().filter(|_| self.random.u8(..10) < 6);
        let version = order_id.as_ref().map_or(0, |order_id| self.states[order_id].len());
        let status = order_id.as_ref().map(|order_id| self.states[order_id][version - 1]["status"].clone());
        match (order_id, status) {
            (Some(order_id), Some(status)) if status == "placed" && self.random.bool() => {
                self.run(client, "order.complete", json!({"order_id": order_id}));
            }
            (Some(order_id), Some(status)) if status != "cancelled" => {
                self.run(client, "order.cancel", json!({"order_id": order_id}));
            }
            _ => self.place(client),
        }
    }

    pub fn place(&mut self, client: &mut Client) {
        self.run(client, "order.place", crate::support::place_params(7));
    }

    pub fn run(&mut self, client: &mut Client, method: &str, params: Value) {
        let order = client.result(method, params)["order"].take();
        self.note(order);
    }

    /// An order as an answer has it.
    pub fn note(&mut self, order: Value) {
        let order_id = order["order_id"].as_str().unwrap().to_owned();
        self.states.entry(order_id).or_default().push(order);
    }

    /// The orders are now as the snapshot has to show them.
    pub fn mark(&mut self, client: &mut Client) {
        self.position = client.status()["outbox"]["last_sequence"].as_u64().unwrap();
        self.as_of = self.states.iter().map(|(order_id, states)| (order_id.clone(), states.len())).collect();
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many orders there were at the position.
    pub fn orders(&self) -> usize {
        self.as_of.len()
    }

    /// Everything that a sink gets that starts at the position.
    pub fn events(&self) -> usize {
        let later = |(order_id, states): (&String, &Vec<Value>)| {
            self.as_of.get(order_id).map_or(states.len(), |as_of| 1 + states.len() - as_of)
        };
        self.states.iter().map(later).sum()
    }

    /// One snapshot of each order as of the position, then every later event, each once and in order.
    #[track_caller]
    pub fn check(&self, seen: &Seen) {
        let mut by_order: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for event in &seen.first {
            by_order.entry(event["subject"].as_str().unwrap()).or_default().push(event);
        }
        for (order_id, states) in &self.states {
            let events = by_order.remove(&**order_id).unwrap_or_default();
            let as_of = self.as_of.get(order_id).copied().unwrap_or(0);
            let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
            assert_eq!(events.len(), states.len() - as_of + usize::from(as_of > 0), "{order_id}, {as_of}: {types:?}");
            let (snapshot, later) = events.split_at(usize::from(as_of > 0));
            if let [snapshot] = snapshot {
                self.check_snapshot(snapshot, &states[as_of - 1]);
            }
            let versions: Vec<_> = later.iter().map(|event| event["orderversion"].as_u64().unwrap()).collect();
            assert_eq!(versions, (as_of as u64 + 1..=states.len() as u64).collect::<Vec<_>>(), "{order_id}: {types:?}");
            assert!(!types[snapshot.len()..].contains(&"OrderSnapshot"), "{order_id}: {types:?}");
        }
        assert!(by_order.is_empty(), "orders that nobody has placed: {by_order:?}");
        let live = seen.first.iter().filter(|event| event["type"] != "OrderSnapshot");
        let sequences: BTreeSet<u64> = live.map(|event| event["sequence"].as_str().unwrap().parse().unwrap()).collect();
        let last = self.position + sequences.len() as u64;
        assert!(sequences.iter().copied().eq(self.position + 1..=last), "events after the position are missing");
    }

    fn check_snapshot(&self, event: &Value, order: &Value) {
        let times = ["cancelled_at", "completed_at", "placed_at"];
        let last_change = times.iter().map(|time| &order[*time]).find(|time| !time.is_null()).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": event["id"], "source": "/orderd", "type": "OrderSnapshot",
            "subject": order["order_id"], "time": last_change, "datacontenttype": "application/json",
            "partitionkey": order["order_id"], "sequence": format!("{:020}", self.position),
            "orderversion": order["version"], "storeepoch": 1, "data": order,
        });
        assert_eq!(*event, expected);
    }
}

impl Seen {
    /// An event came; whether for the first time.
    #[track_caller]
    pub fn take(&mut self, event: &Value) -> bool {
        let id = event["id"].as_str().unwrap().to_owned();
        if let Some(first) = self.by_id.get(&id) {
            assert_eq!(first, event, "a redelivered event is the first one");
            self.again += 1;
            return false;
        }
        self.by_id.insert(id, event.clone());
        self.first.push(event.clone());
        true
    }

    /// How many different events came.
    pub fn count(&self) -> usize {
        self.first.len()
    }

    /// How many of them are snapshots.
    pub fn snapshots(&self) -> usize {
        self.first.iter().filter(|event| event["type"] == "OrderSnapshot").count()
    }
}
