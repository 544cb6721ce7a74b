//! The operator: parks, requeues, skips, pauses and replays, and remembers what was answered.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::verdict::Truth;
use super::{Totals, any, try_call};
use crate::load::Rng;
use crate::support::{Client, Store, error_kind};

/// Refusals that an operator gets who is a moment too late, or asks for too much.
const EXPECTED: [&str; 4] = ["lane_not_found", "invalid_params", "out_of_range", "overloaded"];

/// What was answered over all lives.
pub struct Operator {
    /// Whether the sink is paused; `None` while a request about it was not answered.
    paused: Option<bool>,
    /// Each order with the event of it that was passed over.
    skipped: Vec<(String, u64)>,
    ranges: Vec<(u64, u64)>,
    parked: Vec<String>,
    requeued: u64,
    pauses: u64,
    halts: u64,
    unexpected: Vec<String>,
}

impl Operator {
    pub fn new() -> Operator {
        let (skipped, ranges, parked, unexpected) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Operator { paused: Some(false), skipped, ranges, parked, requeued: 0, pauses: 0, halts: 0, unexpected }
    }

    /// What was answered before the kill is so after it.
    pub fn check_start(&mut self, bus: &Value) {
        if let Some(paused) = self.paused {
            assert_eq!(bus["state"] == "paused", paused, "the operator was answered otherwise: {bus}");
        }
        self.halts += u64::from(bus["state"] == "halted");
    }

    /// Works until the daemon is gone.
    pub fn work(&mut self, store: &Store, orders: &Mutex<Vec<String>>, mut rng: Rng) {
        let Ok(mut client) = Client::try_connect(&store.socket()) else { return };
        while self.act(&mut client, orders, &mut rng).is_some() {}
    }

    /// The result, null for a refusal; `None` once the daemon is gone.
    fn ask(&mut self, client: &mut Client, method: &str, params: &Value) -> Option<Value> {
        let mut answer = try_call(client, method, params)?;
        if let Some(error) = answer.get("error") {
            let (_, kind) = error_kind(error);
            if !EXPECTED.contains(&kind) {
                self.unexpected.push(format!("{method} {params}: {error}"));
            }
            return Some(Value::Null);
        }
        Some(answer["result"].take())
    }

    fn act(&mut self, client: &mut Client, orders: &Mutex<Vec<String>>, rng: &mut Rng) -> Option<()> {
        let order_id = any(&orders.lock().unwrap(), rng).cloned();
        match (rng.below(100), order_id) {
            (0..=14, Some(order_id)) => {
                let params = json!({"sink": "bus", "order_id": order_id, "reason": "by hand"});
                if !self.ask(client, "lane.park", &params)?.is_null() {
                    self.parked.push(order_id);
                }
            }
            (15..=39, _) => {
                let requeued = self.ask(client, "lane.requeue", &json!({"sink": "bus", "all": true}))?;
                self.requeued += requeued["lanes"].as_u64().unwrap_or(0);
            }
            (40..=54, _) => self.skip_first(client, rng)?,
            (55..=56, _) => self.skip_to(client, rng)?,
            (57..=64, _) => self.pause(client, true)?,
            (65..=79, _) => self.pause(client, false)?,
            (80..=84, _) => drop(self.ask(client, "sink.retry", &json!({"sink": "bus"}))?),
            (85..=89, _) => self.replay(client, rng)?,
            (90..=94, Some(order_id)) => {
                let traced = self.ask(client, "order.trace", &json!({"order_id": order_id}))?;
                assert!(traced.is_null() || traced["complete"] == true, "the journal holds everything: {traced}");
            }
            _ => drop(self.ask(client, "sink.show", &json!({"sink": "bus"}))?),
        }
        Some(())
    }

    fn pause(&mut self, client: &mut Client, paused: bool) -> Option<()> {
        self.paused = None;
        let method = if paused { "sink.pause" } else { "sink.resume" };
        let answer = self.ask(client, method, &json!({"sink": "bus"}))?;
        assert!(!answer.is_null(), "{method} is refused");
        self.paused = Some(paused);
        self.pauses += u64::from(paused);
        Some(())
    }

    fn skip_first(&mut self, client: &mut Client, rng: &mut Rng) -> Option<()> {
        let listed = self.ask(client, "lane.list", &json!({"sink": "bus"}))?;
        let lanes = listed["lanes"].as_array().cloned().unwrap_or_default();
        let Some(lane) = any(&lanes, rng) else { return Some(()) };
        let (order_id, sequence) = (lane["order_id"].as_str()?, lane["first_sequence"].as_u64()?);
        let params = json!({"sink": "bus", "order_id": order_id, "sequence": sequence, "reason": "never"});
        if !self.ask(client, "lane.skip", &params)?.is_null() {
            self.skipped.push((order_id.to_owned(), sequence));
        }
        Some(())
    }

    fn skip_to(&mut self, client: &mut Client, rng: &mut Rng) -> Option<()> {
        let shown = self.ask(client, "sink.show", &json!({"sink": "bus"}))?;
        let to = shown["sink"]["acked_sequence"].as_u64()? + rng.below(6);
        let params = json!({"sink": "bus", "sequence": to.max(1), "reason": "too old"});
        let range = self.ask(client, "sink.skip_to", &params)?;
        if let (Some(from), Some(to)) = (range["first_sequence"].as_u64(), range["last_sequence"].as_u64()) {
            self.ranges.push((from, to));
        }
        Some(())
    }

    fn replay(&mut self, client: &mut Client, rng: &mut Rng) -> Option<()> {
        let shown = self.ask(client, "sink.show", &json!({"sink": "bus"}))?;
        let acked = shown["sink"]["acked_sequence"].as_u64()?;
        let from = acked.saturating_sub(rng.below(20)).max(1);
        let params = json!({"sink": "bus", "from": from, "to": acked, "rate_events_per_s_max": 10_000});
        let started = self.ask(client, "replay.start", &params)?;
        if started["replay_id"].is_string() && rng.chance(30) {
            self.ask(client, "replay.cancel", &json!({"replay_id": started["replay_id"]}))?;
        }
        Some(())
    }

    /// What was answered is on record.
    pub fn judge(&self, truth: &Truth, totals: &mut Totals) {
        assert!(self.unexpected.is_empty(), "refused: {:?}", self.unexpected);
        for (order_id, sequence) in &self.skipped {
            assert!(truth.skipped.contains(sequence), "{order_id}: no record says that {sequence} was skipped");
        }
        for (from, to) in &self.ranges {
            let is_on_record = truth.is_skipped(*from) && truth.is_skipped(*to);
            assert!(is_on_record, "no record says that {from} to {to} were skipped");
        }
        for order_id in &self.parked {
            assert!(truth.held.contains(order_id), "no record says that {order_id} was parked by hand");
        }
        totals.parked_by_hand += self.parked.len() as u64;
        totals.requeued += self.requeued;
        totals.skipped += (self.skipped.len() + self.ranges.len()) as u64;
        totals.paused += self.pauses;
        totals.halted += self.halts;
    }
}
