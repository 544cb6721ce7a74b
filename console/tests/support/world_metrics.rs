//! `daemon.metrics` of the fake.

use serde_json::{Value, json};

use super::world::World;

const BOUNDS_S: [f64; 8] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

pub fn metrics(world: &World) -> Value {
    let age = world.age();
    let of_sinks = |member: &str| -> Vec<Value> {
        let value = |sink: &Value| sink[member].as_f64().unwrap_or_default();
        world.sinks.iter().map(|sink| json!({"labels": {"sink": sink["name"]}, "value": value(sink)})).collect()
    };
    let durations = world.sinks.iter().map(|sink| histogram(json!({"sink": sink["name"]}), age, 1_000.0, 0.004));
    let commands = |method: &str, result: &str, value: f64| {
        let labels = json!({"method": method, "result": result});
        json!({"labels": labels, "value": value.floor()})
    };
    let family = |name: &str, kind: &str, help: &str, samples: Vec<Value>| {
        let samples = json!(samples);
        json!({"name": name, "kind": kind, "help": help, "samples": samples})
    };
    json!({"metrics": [
        family("orderd_build_info", "gauge", "The daemon's version.", vec![
            json!({"labels": {"version": "0.2.0"}, "value": 1}),
        ]),
        family("orderd_commands_total", "counter", "Commands by method and result.", vec![
            commands("order.place", "ok", 1_800.0f64.mul_add(age, 4_000_000.0)),
            commands("order.cancel", "refused", 212.0),
        ]),
        family("orderd_commit_duration_seconds", "histogram", "From a command's arrival until it is durable.", vec![
            histogram(json!({}), age, 1_880.0, 0.001),
        ]),
        family("orderd_sink_lag_events", "gauge", "Events that are not settled.", of_sinks("lag_events")),
        family("orderd_sink_delivered_events_total", "counter", "Events delivered.", of_sinks("delivered_total")),
        family("orderd_sink_delivery_duration_seconds", "histogram", "Time of an attempt.", durations.collect()),
    ]})
}

/// Most observations around `middle` seconds, and now more, now fewer that take ten times as long; they only grow.
fn histogram(labels: Value, age: f64, per_s: f64, middle: f64) -> Value {
    let fast = per_s * age;
    let slow = per_s * 0.02 * 8.0f64.mul_add((age / 8.0).sin(), age);
    let share = |bound: f64, middle: f64| 1.0 - (-bound / middle).exp();
    let below = |bound: f64| fast.mul_add(share(bound, middle), slow * share(bound, 10.0 * middle)).floor();
    let count = (fast + slow).floor();
    let bounds = BOUNDS_S.iter().map(|bound| json!({"le": bound.to_string(), "count": below(*bound)}));
    let buckets: Vec<_> = bounds.chain([json!({"le": "+Inf", "count": count})]).collect();
    let sum = fast.mul_add(middle, slow * 10.0 * middle);
    json!({"labels": labels, "buckets": buckets, "sum": sum, "count": count})
}
