//! `daemon.metrics` of the fake.

use serde_json::{Value, json};

use super::world::World;

const BOUNDS_S: [f64; 8] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

pub fn metrics(world: &World) -> Value {
    let sinks = |member: &str| -> Value {
        let samples = world
            .sinks
            .iter()
            .map(|sink| json!({"labels": {"sink": sink["name"]}, "value": sink[member].as_f64().unwrap_or(0.0)}));
        samples.collect()
    };
    let age = world.age();
    let durations = |sink: &Value| {
        let mut sample = histogram(age, 1_000.0, 0.004);
        sample["labels"] = json!({"sink": sink["name"]});
        sample
    };
    json!({"metrics": [
        {"name": "orderd_build_info", "kind": "gauge", "help": "The daemon's version.", "samples": [{"labels": {"version": "0.2.0"}, "value": 1}]},
        {"name": "orderd_commands_total", "kind": "counter", "help": "Commands by method and result.", "samples": [
            {"labels": {"method": "order.place", "result": "ok"}, "value": (4_000_000.0 + 1_800.0 * age).floor()},
            {"labels": {"method": "order.cancel", "result": "refused"}, "value": 212},
        ]},
        {"name": "orderd_commit_duration_seconds", "kind": "histogram", "help": "Time from a command's arrival until it is durable.", "samples": [histogram(age, 1_880.0, 0.001)]},
        {"name": "orderd_sink_lag_events", "kind": "gauge", "help": "Events that are not settled.", "samples": sinks("lag_events")},
        {"name": "orderd_sink_delivered_events_total", "kind": "counter", "help": "Events delivered since the start.", "samples": sinks("delivered_total")},
        {"name": "orderd_sink_delivery_duration_seconds", "kind": "histogram", "help": "Time of an attempt.", "samples": world.sinks.iter().map(durations).collect::<Vec<_>>()},
    ]})
}

/// Most observations around `middle` seconds, and now more, now fewer that take ten times as long; they only grow.
fn histogram(age: f64, per_s: f64, middle: f64) -> Value {
    let fast = per_s * age;
    let slow = per_s * 0.02 * 8.0f64.mul_add((age / 8.0).sin(), age);
    let share = |bound: f64, middle: f64| 1.0 - (-bound / middle).exp();
    let below = |bound: f64| fast.mul_add(share(bound, middle), slow * share(bound, 10.0 * middle)).floor();
    let mut buckets: Vec<_> =
        BOUNDS_S.iter().map(|bound| json!({"le": bound.to_string(), "count": below(*bound)})).collect();
    let count = (fast + slow).floor();
    buckets.push(json!({"le": "+Inf", "count": count}));
    json!({"labels": {}, "buckets": buckets, "sum": fast.mul_add(middle, slow * 10.0 * middle), "count": count})
}
