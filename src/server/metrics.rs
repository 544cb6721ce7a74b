//! What `daemon.metrics` answers: what every part of the daemon has written, gathered without asking anybody.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::methods::Method;
use super::rpc_error::ErrorKind;
use super::shared::Shared;
use super::status::DaemonState;
use crate::contracts::{LaneState, SinkMonitor, SinkState, SinkStatus, StoreCondition};
use crate::telemetry::{Histogram, METRICS, MetricSpec, metric};

/// The result object.
#[derive(Debug, Serialize)]
pub(super) struct MetricsReport {
    metrics: Vec<Family>,
}

/// All samples of one metric.
#[derive(Debug, Serialize)]
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<Value>,
}

impl MetricsReport {
    pub(super) fn of(shared: &Shared) -> Self {
        let mut report = Self { metrics: METRICS.iter().map(Family::new).collect() };
        report.add_server(shared);
        report.add_store(shared);
        report.add_parts(shared);
        let context = &shared.context;
        let (now, last) = (context.clock.now(), context.store.store().last_sequence);
        for sink in &context.sinks {
            report.add_sink(&sink.read_at(now, last), sink);
        }
        report.metrics.retain(|family| !family.samples.is_empty());
        report
    }

    fn add_server(&mut self, shared: &Shared) {
        let (context, counters) = (&shared.context, &shared.counters);
        self.add(metric::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.add(metric::START, &[], seconds_of_micros(context.started_at.micros().max(0).cast_unsigned()));
        let state = DaemonState::of(context.draining, context.store.store().condition);
        for possible in DaemonState::ALL {
            self.add(metric::STATE, &[("state", possible.as_str())], u8::from(possible == state));
        }
        // Those that everybody looks for are there from the start.
        for method in [Method::Place, Method::Complete, Method::Cancel, Method::Get] {
            if counters.results.count(method, None) == 0 {
                self.add(metric::COMMANDS, &[("method", method.spec().name), ("result", "ok")], 0);
            }
        }
        for (method, refused, count) in counters.results.counts() {
            let method = method.map_or("unreadable", |method| method.spec().name);
            let result = refused.map_or("ok", |kind: ErrorKind| kind.wire().kind);
            self.add(metric::COMMANDS, &[("method", method), ("result", result)], count);
        }
        self.add(metric::OVERLOADED, &[], counters.results.overloaded);
        self.add(metric::DROPPED_NOTIFICATIONS, &[], counters.ignored);
        self.add(metric::UNDELIVERABLE, &[], counters.undeliverable);
        self.add(metric::CONNECTIONS, &[], context.connections());
        self.add(metric::ATTACHED, &[], context.connections() - context.connections);
        self.add(metric::CONNECTIONS_LIMIT, &[], shared.options.connections_max);
        self.add(metric::ACCEPTED, &[], counters.accepted);
        self.add(metric::REFUSED, &[], counters.connections_refused);
        self.add(metric::TIMED_OUT, &[], counters.timed_out);
        self.add(metric::QUEUE, &[], shared.admission.waiting());
        self.add(metric::QUEUE_LIMIT, &[], shared.options.queue_commands_max);
    }

    fn add_store(&mut self, shared: &Shared) {
        let model = &shared.context.store;
        let store = model.store();
        self.add(metric::JOURNAL_BYTES, &[], store.journal.bytes);
        self.add(metric::JOURNAL_LIMIT, &[], model.journal_bytes_max());
        self.add(metric::SEGMENTS, &[], store.journal.segments);
        if let Some(pinned_by) = model.pinned_by() {
            // A label must not have as many values as there are replays.
            let by = if pinned_by.starts_with("replay:") { "replay" } else { &*pinned_by };
            self.add(metric::PINNED, &[("by", by)], 1);
        }
        self.add(metric::DURABLE_LSN, &[], store.journal.durable_lsn.0);
        self.add(metric::STORAGE_FULL, &[], u8::from(store.condition == StoreCondition::Full));
        self.add(metric::ORDERS, &[], store.orders_count);
        self.add(metric::EVENTS, &[], store.last_sequence.0);
        self.add(metric::CHECKPOINT_LSN, &[], store.journal.checkpoint_lsn.0);
        self.add_histogram(metric::COMMIT_DURATION, &[], &model.metrics().commit_duration);
        self.add_histogram(metric::BATCH_COMMANDS, &[], &model.metrics().batch_commands);
    }

    fn add_parts(&mut self, shared: &Shared) {
        let telemetry = &shared.telemetry;
        self.add_histogram(metric::SYNC_DURATION, &[], &telemetry.journal.sync_duration);
        self.add(metric::APPENDED_BYTES, &[], telemetry.journal.appended_bytes.get());
        let checkpoint = &telemetry.checkpoint;
        let uptime_s = shared.context.clock.monotonic().as_secs();
        self.add(metric::CHECKPOINT_AGE, &[], uptime_s.saturating_sub(checkpoint.completed_at_s.get()));
        self.add_histogram(metric::CHECKPOINT_DURATION, &[], &checkpoint.duration);
        self.add(metric::CHECKPOINT_BYTES, &[], checkpoint.bytes.get());
        self.add(metric::CHECKPOINT_FAILURES, &[], checkpoint.failures.get());
        self.add(metric::CHECKPOINT_FAILING, &[], u8::from(checkpoint.last_error().is_some()));
        self.add(metric::DROPPED_LOG_LINES, &[], telemetry.log.dropped_lines.get());
    }

    fn add_sink(&mut self, sink: &SinkStatus, monitor: &SinkMonitor) {
        let name = ("sink", sink.name.as_str());
        for state in SinkState::ALL {
            self.add(metric::SINK_STATE, &[name, ("state", state.as_str())], u8::from(state == sink.state));
        }
        self.add(metric::SINK_ACKED, &[name], sink.acked_sequence.0);
        self.add(metric::SINK_LAG, &[name], sink.lag_events);
        self.add(metric::SINK_LAG_SECONDS, &[name], seconds_of_micros(sink.lag_ms.saturating_mul(1000)));
        self.add(metric::SINK_DELIVERED, &[name], sink.delivered_total);
        self.add(metric::SINK_IN_FLIGHT, &[name], sink.in_flight);
        self.add(metric::SINK_PARKED_LANES, &[name], sink.parked_lanes);
        self.add(metric::SINK_PARKED, &[name], sink.parked_events);
        self.add(metric::SINK_ATTACHED, &[name], u8::from(sink.attached.is_some()));
        let metrics = monitor.metrics();
        let failures = [
            ("failed", &metrics.failed),
            ("rejected", &metrics.rejected),
            ("unavailable", &metrics.unavailable),
            ("detached", &metrics.detached),
        ];
        for (outcome, counter) in failures {
            self.add(metric::SINK_FAILURES, &[name, ("outcome", outcome)], counter.get());
        }
        let acknowledged_ms = metrics.acknowledged_at_ms.get();
        self.add(metric::SINK_LAST_ACK, &[name], seconds_of_micros(acknowledged_ms.saturating_mul(1000)));
        self.add_histogram(metric::SINK_DELIVERY_DURATION, &[name], &metrics.delivery_duration);
        self.add_histogram(metric::SINK_ACK_DELAY, &[name], &metrics.ack_delay);
        let lanes = &metrics.lanes;
        let states = [
            (LaneState::Retrying, &lanes.retrying),
            (LaneState::Rejected, &lanes.rejected),
            (LaneState::Held, &lanes.held),
            (LaneState::Requeued, &lanes.requeued),
        ];
        for (state, gauge) in states {
            self.add(metric::SINK_LANES, &[name, ("state", state.as_str())], gauge.get());
        }
        self.add_histogram(metric::CURSOR_SAVE_DURATION, &[name], &metrics.cursor_save_duration);
    }

    fn add(&mut self, spec: MetricSpec, labels: &[(&str, &str)], value: impl Serialize) {
        self.push(spec, json!({"labels": object(labels), "value": value}));
    }

    fn add_histogram(&mut self, spec: MetricSpec, labels: &[(&str, &str)], histogram: &Histogram) {
        let read = histogram.read();
        let le = |bound: Option<f64>| bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        let buckets = read.buckets.iter().map(|(bound, count)| json!({"le": le(*bound), "count": count}));
        let buckets: Vec<Value> = buckets.collect();
        let sample = json!({"labels": object(labels), "buckets": buckets, "sum": read.sum, "count": read.count});
        self.push(spec, sample);
    }

    fn push(&mut self, spec: MetricSpec, sample: Value) {
        let family = self.metrics.iter_mut().find(|family| family.name == spec.name);
        debug_assert!(family.is_some(), "{} is in the table", spec.name);
        if let Some(family) = family {
            family.samples.push(sample);
        }
    }
}

impl Family {
    const fn new(spec: &MetricSpec) -> Self {
        Self { name: spec.name, kind: spec.kind.as_str(), help: spec.help, samples: Vec::new() }
    }
}

fn object(labels: &[(&str, &str)]) -> Map<String, Value> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds fit into 2^53 for 285 years")]
fn seconds_of_micros(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
