//! What the fake daemon says. On a busy day it is a shop with accounting, billing, a search index and a warehouse.

use std::time::Instant;

use serde_json::{Value, json};

use super::world_metrics::metrics;

pub const ORDER: &str = "01975a5d-ac96-774b-bcce-b302099a8057";
pub const REPLAY: &str = "0193a5f2-7c1e-7d40-9b7e-3f0c55a0e007";
const BUSY_DAY: &str = include_str!("busy_day.json");

/// A refusal: code, kind, message.
pub type Refusal = (i64, &'static str, String);

/// The daemon's state.
pub struct World {
    pub began: Instant,
    pub state: &'static str,
    pub status: Value,
    pub sinks: Vec<Value>,
    pub lanes: Vec<(String, Value)>,
    pub failures: Vec<Value>,
    pub trace: Value,
    pub replays: Vec<Value>,
    pub decisions: Vec<Value>,
    pub metrics: Option<Value>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            state: "ready",
            status: busy_day("status"),
            sinks: Vec::new(),
            lanes: Vec::new(),
            failures: Vec::new(),
            trace: Value::Null,
            replays: Vec::new(),
            decisions: Vec::new(),
            metrics: None,
        }
    }
}

/// A part of the busy day, its times as of now.
fn busy_day(part: &str) -> Value {
    let mut day: Value = serde_json::from_str(BUSY_DAY).unwrap();
    let mut value = day[part].take();
    set_times(&mut value);
    value
}

/// `ago:60` becomes the time a minute ago.
fn set_times(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(seconds) = text.strip_prefix("ago:") {
                *text = ago(seconds.parse().unwrap());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(set_times),
        Value::Object(members) => members.values_mut().for_each(set_times),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn list(value: Value) -> Vec<Value> {
    serde_json::from_value(value).unwrap()
}

/// A sink without work.
pub fn sink(name: &str, kind: &str, state: &str) -> Value {
    let idle = list(busy_day("sinks")).pop().unwrap();
    with(idle, json!({"name": name, "type": kind, "state": state}))
}

/// The same with other members.
pub fn with(mut value: Value, members: Value) -> Value {
    for (name, member) in members.as_object().unwrap() {
        value[name] = member.clone();
    }
    value
}

fn lane(number: i64, state: &str, reason: &str) -> Value {
    json!({
        "order_id": format!("01975a5d-ac96-774b-bcce-{number:012x}"),
        "state": state,
        "events": 1 + number % 2,
        "first_sequence": 40_000 + number,
        "since": ago(60 * (number % 50) + 75),
        "attempts": 1 + number % 9,
        "next_attempt_at": if state == "retrying" { json!(ago(-20)) } else { Value::Null },
        "reason": reason,
    })
}

fn failure(number: i64) -> Value {
    let (outcome, reason) = match number % 5 {
        0 => ("rejected", "HTTP 422: unknown customer"),
        _ => ("failed", "HTTP 503: try again later"),
    };
    json!({
        "at": ago(number * 7),
        "sequence": 48_000 - number,
        "order_id": format!("01975a5d-ac96-774b-bcce-{number:012x}"),
        "attempt": 1 + number % 4,
        "outcome": outcome,
        "reason": reason,
    })
}

fn ago(seconds: i64) -> String {
    let time = chrono::Utc::now() - chrono::Duration::seconds(seconds);
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

impl World {
    /// Trouble at two sinks.
    pub fn busy() -> Self {
        let rejected = (0..18).map(|n| lane(n, "rejected", &format!("HTTP 422: unknown customer 7d44484{n:03}")));
        let retrying = (18..23).map(|n| lane(n, "retrying", "HTTP 503: try again later"));
        Self {
            sinks: list(busy_day("sinks")),
            lanes: rejected.chain(retrying).map(|lane| ("billing".to_owned(), lane)).collect(),
            failures: (0..40).map(failure).collect(),
            trace: busy_day("trace"),
            replays: list(busy_day("replays")),
            decisions: list(busy_day("decisions")),
            ..Self::default()
        }
    }

    pub fn answer(&self, method: &str, params: &Value) -> Result<Value, Refusal> {
        let dry = params["dry_run"] == true;
        match method {
            "daemon.status" => Ok(self.status()),
            "daemon.metrics" => Ok(self.metrics.clone().unwrap_or_else(|| metrics(self))),
            "sink.show" => self.sink(params).map(|sink| json!({"sink": self.alive(sink), "failures": self.failures})),
            "sink.pause" | "sink.resume" | "sink.retry" => self.sink(params).map(|_| json!({})),
            "lane.list" => self.sink(params).map(|_| self.lane_list(params)),
            "lane.show" => self.lane(params).map(|lane| json!({"lane": lane, "events": [waiting(lane)]})),
            "lane.requeue" => Ok(json!({"lanes": 18, "events": 27, "first_sequence": 40_000, "last_sequence": 40_017})),
            "lane.skip" => self.lane(params).map(|_| json!({})),
            "replay.list" => Ok(json!({"replays": self.replays})),
            "replay.start" => {
                let id = if dry { Value::Null } else { json!(REPLAY) };
                Ok(json!({"replay_id": id, "events": 100, "first_sequence": 1, "last_sequence": 100}))
            }
            "replay.cancel" => Ok(json!({})),
            "decision.list" => {
                let after = params["after_lsn"].as_u64().unwrap_or_default();
                let later = self.decisions.iter().filter(|decision| decision["lsn"].as_u64().unwrap() > after);
                Ok(json!({"decisions": later.collect::<Vec<_>>(), "next": null}))
            }
            "order.trace" => self.order(params).map(|_| self.trace.clone()),
            "order.get" => self.order(params).map(|order| json!({"order": order})),
            _ => Err((-32_601, "method_not_found", format!("there is no method {method}"))),
        }
    }

    /// Seconds since it began.
    pub fn age(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn status(&self) -> Value {
        let age = self.age();
        let commands = whole(4_200_000.0 + 1_880.0f64.mul_add(age, 3_000.0 * (age / 17.0).sin()));
        let sinks: Vec<_> = self.sinks.iter().map(|sink| self.alive(sink)).collect();
        let uptime_ms = 93_784_000 + whole(age * 1_000.0);
        let now = json!({
            "uptime_ms": uptime_ms, "state": self.state, "sinks": sinks,
            "commands_total": commands, "outbox": {"last_sequence": commands},
        });
        with(self.status.clone(), now)
    }

    /// A sink that works has a rate and a lag that are never quite the same.
    fn alive(&self, sink: &Value) -> Value {
        let rate = sink["rate_events_per_s"].as_f64().unwrap_or_default();
        if rate <= 0.0 {
            return sink.clone();
        }
        let age = self.age();
        let wave = 0.12f64.mul_add((age / 23.0).sin(), 0.05 * (age / 3.1).sin());
        let lag = sink["lag_events"].as_f64().unwrap_or_default();
        let lag = whole(lag * 0.5f64.mul_add(-(age / 61.0).sin(), 1.0));
        with(sink.clone(), json!({"rate_events_per_s": rate * (1.0 + wave), "lag_events": lag}))
    }

    fn sink(&self, params: &Value) -> Result<&Value, Refusal> {
        let found = self.sinks.iter().find(|sink| sink["name"] == params["sink"]);
        found.ok_or_else(|| (1_201, "sink_not_found", format!("there is no sink {}", params["sink"])))
    }

    fn lane(&self, params: &Value) -> Result<&Value, Refusal> {
        let found = self.lanes.iter().find(|(_, lane)| lane["order_id"] == params["order_id"]);
        found.map(|(_, lane)| lane).ok_or_else(|| (1_205, "lane_not_found", "there is no such lane".into()))
    }

    fn order(&self, params: &Value) -> Result<&Value, Refusal> {
        let order = &self.trace["order"];
        let found = (order["order_id"] == params["order_id"]).then_some(order);
        found.ok_or_else(|| (1_001, "order_not_found", "there is no such order".into()))
    }

    fn lane_list(&self, params: &Value) -> Value {
        let fits = |(sink, lane): &&(String, Value)| {
            let state = params["state"].as_str().is_none_or(|state| lane["state"] == state);
            let reason = params["reason_contains"].as_str().unwrap_or_default();
            params["sink"] == **sink && state && lane["reason"].as_str().unwrap().contains(reason)
        };
        json!({"lanes": self.lanes.iter().filter(fits).map(|(_, lane)| lane).collect::<Vec<_>>(), "next": null})
    }
}

fn waiting(lane: &Value) -> Value {
    let sequence = format!("{:020}", lane["first_sequence"].as_u64().unwrap_or_default());
    json!({"sequence": sequence, "type": "OrderCompleted", "id": "4e842ec4-5204-5e1f-8969-2a04781add76"})
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}
