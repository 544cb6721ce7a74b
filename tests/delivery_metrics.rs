//! What is measured of each sink, as Prometheus reads it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::subscriptions::{store_with, wait_for};
use crate::support::{Client, Daemon, Program, Store, orderd};

/// The samples of `orderd metrics`, by name with labels.
fn samples(store: &Store) -> BTreeMap<String, f64> {
    let text = orderd(store, &["metrics"]).expect(0).stdout;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap())
        .collect()
}

#[test]
fn a_subscription_is_measured_from_the_event_to_its_acknowledgement() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let orders: Vec<String> = (0..6).map(|amount| client.place(amount)).collect();
    let mut consumer = Program::attach(&store, "bus");
    let out: Vec<_> = (0..6).map(|_| consumer.event()).collect();
    consumer.rejected(out[0].tag);
    consumer.delivered(&[out[1].tag, out[2].tag, out[3].tag]);
    consumer.failed(out[4].tag);
    let again = consumer.event();
    assert_eq!((again.sequence, again.attempt), (out[4].sequence, 2));
    consumer.delivered(&[again.tag]);
    wait_for(&mut client, "one waits", |bus| bus["in_flight"] == 1 && bus["parked_lanes"] == 1);
    client.result("lane.park", json!({"sink": "bus", "order_id": orders[5], "reason": "wait"}));
    consumer.delivered(&[out[5].tag]);
    // Delivered all the same: it leaves its lane again.
    wait_for(&mut client, "the rest is settled", |bus| bus["in_flight"] == 0 && bus["parked_lanes"] == 1);
    let samples = samples(&store);
    let of = |name: &str| samples.get(name).copied();
    assert_eq!(of(r#"orderd_sink_delivery_duration_seconds_count{sink="bus"}"#), Some(5.0));
    assert_eq!(of(r#"orderd_sink_commit_to_ack_seconds_count{sink="bus"}"#), Some(5.0));
    assert_eq!(of(r#"orderd_sink_delivered_events_total{sink="bus"}"#), Some(5.0));
    assert_eq!(of(r#"orderd_sink_failures_total{outcome="rejected",sink="bus"}"#), Some(1.0));
    assert_eq!(of(r#"orderd_sink_failures_total{outcome="failed",sink="bus"}"#), Some(1.0));
    assert_eq!(of(r#"orderd_sink_lanes{sink="bus",state="rejected"}"#), Some(1.0));
    assert_eq!(of(r#"orderd_sink_lanes{sink="bus",state="held"}"#), Some(0.0));
    assert!(of(r#"orderd_cursor_save_duration_seconds_count{sink="bus"}"#) >= Some(1.0));
    let delay = of(r#"orderd_sink_commit_to_ack_seconds_sum{sink="bus"}"#).unwrap();
    let took = of(r#"orderd_sink_delivery_duration_seconds_sum{sink="bus"}"#).unwrap();
    assert!(took > 0.0 && delay >= took, "{delay} s from the events' times, {took} s of it with the program");
}

#[test]
fn a_file_is_measured_too_and_promtool_finds_nothing_to_complain_about() {
    let store = store_with("");
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    (0..20).for_each(|amount| drop(client.place(amount)));
    crate::support::eventually(crate::support::DEADLINE, "all is acknowledged", || {
        client.status()["sinks"][0]["acked_sequence"] == 20
    });
    let samples = samples(&store);
    assert_eq!(samples.get(r#"orderd_sink_commit_to_ack_seconds_count{sink="events"}"#), Some(&20.0));
    assert!(samples.get(r#"orderd_sink_delivery_duration_seconds_count{sink="events"}"#) >= Some(&1.0));
    let text = orderd(&store, &["metrics"]).expect(0).stdout;
    let mut promtool = Command::new("promtool");
    let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool, of Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
}
