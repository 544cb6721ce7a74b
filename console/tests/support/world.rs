//! What the fake daemon says: a shop with an accounting, a search index and a billing endpoint behind it.

use std::time::Instant;

use serde_json::{Value, json};

pub const ORDER: &str = "01975a5d-ac96-774b-bcce-b302099a8057";
pub const REPLAY: &str = "0193a5f2-7c1e-7d40-9b7e-3f0c55a0e007";
pub const CUSTOMER: &str = "7d444840-9dc0-11d1-b245-5ffdce74fad2";

/// A refusal: code, kind, message.
pub type Refusal = (i64, &'static str, String);

/// The daemon's state.
pub struct World {
    pub began: Instant,
    pub state: &'static str,
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

/// A sink without work.
pub fn sink(name: &str, kind: &str, state: &str) -> Value {
    json!({
        "name": name, "type": kind, "state": state, "acked_sequence": 48_211, "lag_events": 0, "lag_ms": 0,
        "attempts": 0, "last_error": null, "in_flight": 0, "parked_lanes": 0, "parked_events": 0,
        "delivered_total": 48_211, "rate_events_per_s": 0.0, "eta_ms": null, "attached": null,
    })
}

/// The same with other members.
pub fn with(mut value: Value, members: Value) -> Value {
    for (name, member) in members.as_object().unwrap() {
        value[name] = member.clone();
    }
    value
}

pub fn lane(number: u64, state: &str, reason: &str) -> Value {
    let minutes = number % 50;
    json!({
        "order_id": format!("01975a5d-ac96-774b-bcce-{number:012x}"), "state": state, "events": 1 + number % 2,
        "first_sequence": 40_000 + number, "since": ago(60 * minutes + 75), "attempts": 1 + number % 9,
        "next_attempt_at": if state == "retrying" { json!(ago(-20)) } else { Value::Null }, "reason": reason,
    })
}

pub fn ago(seconds: impl Into<i128>) -> String {
    let seconds = i64::try_from(seconds.into()).unwrap();
    (chrono::Utc::now() - chrono::Duration::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

impl World {
    /// A busy day with trouble at two sinks.
    pub fn busy() -> Self {
        let attached = |text: &str| json!({"attached": text, "in_flight": 37});
        let billing = with(
            sink("billing", "subscription", "delivering"),
            json!({
                "attached": "orderd-sink-webhook 0.2.0", "in_flight": 12, "lag_events": 3_420, "lag_ms": 41_300,
                "parked_lanes": 23, "parked_events": 31, "attempts": 1, "rate_events_per_s": 212.4, "eta_ms": 96_000,
                "last_error": "order 01975a5d-ac96-774b-bcce-00000000000b: HTTP 422: unknown customer",
            }),
        );
        let search = with(
            sink("search-index", "subscription", "blocked"),
            json!({
                "attached": "orderd-sink-redis 0.2.0", "lag_events": 18_734, "lag_ms": 754_000, "attempts": 14,
                "last_error": "WRONGPASS invalid username-password pair or user is disabled.",
            }),
        );
        let lanes = (0..18)
            .map(|n| ("billing".into(), lane(n, "rejected", &format!("HTTP 422: unknown customer 7d44484{n:03}"))));
        let retrying = (18..23).map(|n| ("billing".into(), lane(n, "retrying", "HTTP 503: try again later")));
        Self {
            sinks: vec![
                with(
                    sink("events", "file", "delivering"),
                    json!({"rate_events_per_s": 1_873.0, "lag_events": 12, "lag_ms": 4}),
                ),
                with(
                    with(sink("accounting", "subscription", "delivering"), attached("orderd-sink-kafka 0.2.0")),
                    json!({"rate_events_per_s": 1_869.5, "lag_events": 210, "lag_ms": 118, "eta_ms": 900}),
                ),
                billing,
                search,
                with(sink("warehouse", "subscription", "paused"), json!({"lag_events": 5_210, "lag_ms": 302_000})),
                sink("audit", "stdout", "idle"),
            ],
            lanes: lanes.chain(retrying).collect(),
            failures: (0..40).map(failure).collect(),
            trace: trace(),
            replays: vec![
                json!({"replay_id": REPLAY, "sink": "accounting", "state": "running", "delivered": 61_200, "failed": 3, "remaining": 38_797, "eta_ms": 77_000}),
                json!({"replay_id": "0193a5f0-11aa-7b20-8c3d-77e1d2b6c006", "sink": "events", "state": "done", "delivered": 1_000, "failed": 0, "remaining": 0, "eta_ms": null}),
            ],
            decisions: decisions(),
            ..Self::default()
        }
    }

    pub fn answer(&self, method: &str, params: &Value) -> Result<Value, Refusal> {
        match method {
            "daemon.status" => Ok(self.status()),
            "daemon.metrics" => Ok(self.metrics.clone().unwrap_or_else(|| super::world_metrics::metrics(self))),
            "sink.show" => self.sink(params).map(|sink| json!({"sink": self.alive(sink), "failures": self.failures})),
            "sink.pause" | "sink.resume" | "sink.retry" => self.sink(params).map(|_| json!({})),
            "lane.list" => self.sink(params).map(|_| self.lane_list(params)),
            "lane.show" => self.lane(params).map(|lane| json!({"lane": lane, "events": [
                {"sequence": lane["first_sequence"], "type": "OrderCompleted", "id": "4e842ec4-5204-5e1f-8969-2a04781add76"},
            ]})),
            "lane.requeue" => Ok(json!({"lanes": 18, "events": 27, "first_sequence": 40_000, "last_sequence": 40_017})),
            "lane.skip" => self.lane(params).map(|_| json!({})),
            "replay.list" => Ok(json!({"replays": self.replays})),
            "replay.start" => Ok(json!({"replay_id": if params["dry_run"] == true { Value::Null } else { json!(REPLAY) }, "events": 100, "first_sequence": 1, "last_sequence": 100})),
            "replay.cancel" => Ok(json!({})),
            "decision.list" => {
                let after = params["after_lsn"].as_u64().unwrap_or_default();
                let later = self.decisions.iter().filter(|decision| decision["lsn"].as_u64().unwrap() > after);
                Ok(json!({"decisions": later.collect::<Vec<_>>(), "next": null}))
            }
            "order.trace" if self.trace["order"]["order_id"] == params["order_id"] => Ok(self.trace.clone()),
            "order.get" if self.trace["order"]["order_id"] == params["order_id"] => Ok(json!({"order": self.trace["order"]})),
            "order.trace" | "order.get" => Err((1_001, "order_not_found", "there is no such order".into())),
            _ => Err((-32_601, "method_not_found", format!("there is no method {method}"))),
        }
    }

    /// Seconds since it began.
    pub fn age(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn status(&self) -> Value {
        let age = self.age();
        let commands = 4_200_000.0 + 1_880.0f64.mul_add(age, 3_000.0 * (age / 17.0).sin());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let commands = commands as u64;
        json!({
            "version": "0.2.0", "uptime_ms": 93_784_000, "state": self.state,
            "journal": {"durable_lsn": 4_200_311, "checkpoint_lsn": 4_186_240, "bytes": 1_503_238_553, "segments": 23,
                "bytes_max": 4_294_967_296_u64, "pinned_by": "search-index"},
            "orders": {"count": 2_114_870}, "outbox": {"last_sequence": commands}, "connections": 41,
            "sinks": self.sinks.iter().map(|sink| self.alive(sink)).collect::<Vec<_>>(),
            "connections_max": 1_024, "connections_refused_total": 0, "commands_total": commands, "overloaded_total": 0,
        })
    }

    /// A sink that works has a rate that is never quite the same.
    fn alive(&self, sink: &Value) -> Value {
        let mut sink = sink.clone();
        let rate = sink["rate_events_per_s"].as_f64().unwrap_or_default();
        if rate > 0.0 {
            let age = self.age();
            let wave = 0.12f64.mul_add((age / 23.0).sin(), 0.05 * (age / 3.1).sin());
            sink["rate_events_per_s"] = json!(rate * (1.0 + wave));
            let lag = sink["lag_events"].as_f64().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let lag = (lag * (1.0 - 0.5 * (age / 61.0).sin())).max(0.0) as u64;
            sink["lag_events"] = json!(lag);
        }
        sink
    }

    fn sink(&self, params: &Value) -> Result<&Value, Refusal> {
        let found = self.sinks.iter().find(|sink| sink["name"] == params["sink"]);
        found.ok_or_else(|| (1_201, "sink_not_found", format!("there is no sink {}", params["sink"])))
    }

    fn lane(&self, params: &Value) -> Result<&Value, Refusal> {
        let found = self.lanes.iter().find(|(_, lane)| lane["order_id"] == params["order_id"]);
        found.map(|(_, lane)| lane).ok_or_else(|| (1_205, "lane_not_found", "there is no such lane".into()))
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

fn failure(number: u64) -> Value {
    let rejected = number.is_multiple_of(5);
    json!({
        "at": ago(number * 7), "sequence": 48_000 - number, "order_id": format!("01975a5d-ac96-774b-bcce-{number:012x}"),
        "attempt": 1 + number % 4, "outcome": if rejected { "rejected" } else { "failed" },
        "reason": if rejected { "HTTP 422: unknown customer" } else { "HTTP 503: try again later" },
    })
}

fn trace() -> Value {
    let at = |name: &str, state: &str, attempts: u64, reason: Value| json!({"name": name, "state": state, "attempts": attempts, "reason": reason});
    json!({
        "order": {"order_id": ORDER, "customer_id": CUSTOMER, "total_amount": 129_900, "status": "completed", "version": 2,
            "placed_at": ago(3_600), "completed_at": ago(95), "cancelled_at": null},
        "events": [
            {"sequence": 40_310, "type": "OrderPlaced", "id": "4e842ec4-5204-5e1f-8969-2a04781add76", "orderversion": 1, "time": ago(3_600),
                "sinks": [at("events", "delivered", 1, Value::Null), at("accounting", "delivered", 1, Value::Null),
                    at("billing", "parked", 8, json!("HTTP 422: unknown customer 7d444840")), at("search-index", "delivered", 2, Value::Null)]},
            {"sequence": 48_190, "type": "OrderCompleted", "id": "90bb972f-01c3-5b1d-8308-e993f6094856", "orderversion": 2, "time": ago(95),
                "sinks": [at("events", "delivered", 1, Value::Null), at("accounting", "in_flight", 1, Value::Null),
                    at("billing", "parked", 0, json!("waits for event 40310")), at("search-index", "pending", 0, Value::Null)]},
        ],
        "complete": true,
    })
}

fn decisions() -> Vec<Value> {
    let decision = |lsn: u64, members: Value| json!({"lsn": lsn, "delivery": with(json!({"at": ago(4_200_320 - lsn), "uid": 0, "reason": null}), members)});
    vec![
        decision(3, json!({"kind": "registered", "sink": "events"})),
        decision(
            4_199_010,
            json!({"kind": "parked", "sink": "billing", "order_id": ORDER, "sequence": 40_310, "uid": 997, "reason": "HTTP 422: unknown customer 7d444840"}),
        ),
        decision(
            4_199_800,
            json!({"kind": "paused", "sink": "warehouse", "uid": 1000, "reason": "stock-taking until 18:00"}),
        ),
        decision(
            4_200_100,
            json!({"kind": "replay_started", "sink": "accounting", "from": 1, "to": 100_000, "uid": 1000, "reason": "ledger restored from last night"}),
        ),
        decision(
            4_200_300,
            json!({"kind": "skipped", "sink": "billing", "order_id": "01975a5d-ac96-774b-bcce-0000000000ff", "sequence": 39_977, "uid": 1000, "reason": "test order"}),
        ),
    ]
}
