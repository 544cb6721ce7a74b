//! Asks the daemon for its status and metrics every second, on one connection that is made again when it breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use super::histogram::Buckets;
use super::history::{GlobalPoint, History, SinkPoint};
use super::metrics::Families;
use super::snapshot::Snapshot;
use super::status::Status;
use crate::daemon::{CallError, Connection, Daemon};

/// Between two samples that the charts keep.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// A sample that is younger answers a request; so however many look, the daemon is asked at most ten times a second.
const FRESH: Duration = Duration::from_millis(100);
/// How long a request waits for a fresh sample before it takes the last one.
const FRESH_WAIT: Duration = Duration::from_millis(80);
/// The same for the very first sample, without which there is nothing to show.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Over less than this a rate is mostly chance. A daemon that started again has an uptime below the last one: 0.
const ELAPSED_S_MIN: f64 = 0.1;

/// Metrics whose percentiles the charts show.
const COMMIT_DURATION: &str = "orderd_commit_duration_seconds";
const DELIVERY_DURATION: &str = "orderd_sink_delivery_duration_seconds";

/// What the sampler shares with the pages.
#[derive(Debug)]
pub struct Sampler {
    newest: watch::Sender<Arc<Snapshot>>,
    wanted: Notify,
    history: Mutex<History>,
}

impl Sampler {
    /// No sample yet.
    #[must_use]
    pub fn new(history: History) -> Self {
        Self {
            newest: watch::Sender::new(Arc::new(Snapshot::none())),
            wanted: Notify::new(),
            history: Mutex::new(history),
        }
    }

    /// The newest sample, which is older than [`FRESH`] only if the daemon is slow.
    pub async fn fresh(&self) -> Arc<Snapshot> {
        let mut newest = self.newest.subscribe();
        let last = Arc::clone(&newest.borrow_and_update());
        if last.taken.elapsed() < FRESH && last.status.is_ok() {
            return last;
        }
        self.wanted.notify_one();
        let wait = if last.asked { FRESH_WAIT } else { FIRST_WAIT };
        // In either case the newest sample there is will do.
        tokio::time::timeout(wait, newest.changed()).await.ok();
        self.last()
    }

    /// The last sample.
    #[must_use]
    pub fn last(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.borrow())
    }

    /// Reads the older samples.
    pub fn history<T>(&self, read: impl FnOnce(&History) -> T) -> T {
        // Nothing panics under this lock: it copies numbers.
        read(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Samples until it is dropped; `alive` is called after each turn.
pub async fn run(daemon: &Daemon, sampler: &Sampler, alive: impl Fn()) {
    let mut connection = None;
    let mut rates = Rates::default();
    let mut reported = None;
    let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let kept = tokio::select! {
            _ = tick.tick() => true,
            () = sampler.wanted.notified() => false,
        };
        if kept || sampler.last().taken.elapsed() >= FRESH {
            let snapshot = sample(daemon, &mut connection).await;
            report(&snapshot, &mut reported);
            if let (true, Some(status)) = (kept, snapshot.status()) {
                let (global, sinks) = rates.points(status, snapshot.metrics.as_deref().ok());
                let mut history = sampler.history.lock().unwrap_or_else(PoisonError::into_inner);
                history.push(crate::clock::unix_ms(), global, sinks);
            }
            sampler.newest.send_replace(Arc::new(snapshot));
        }
        alive();
    }
}

/// Says once that the daemon is away, and once that it is back.
fn report(snapshot: &Snapshot, reported: &mut Option<&'static str>) {
    let now = snapshot.status.as_ref().map_or("away", |_| "here");
    if *reported == Some(now) {
        return;
    }
    *reported = Some(now);
    match &snapshot.status {
        Ok((_, status)) => tracing::info!(version = status.version, "the daemon answers"),
        Err(error) => tracing::warn!(error = ?error.to_string(), "no status"),
    }
}

async fn sample(daemon: &Daemon, connection: &mut Option<Connection>) -> Snapshot {
    let status = ask(daemon, connection, "daemon.status").await.and_then(|value| {
        let status: Status = serde::Deserialize::deserialize(&value).map_err(unreadable)?;
        Ok((Arc::new(value), Arc::new(status)))
    });
    let metrics = match &status {
        Ok(_) => {
            let answer = ask(daemon, connection, "daemon.metrics").await;
            answer.and_then(|value| serde_json::from_value::<Families>(value).map(Arc::new).map_err(unreadable))
        }
        Err(error) => Err(error.clone()),
    };
    Snapshot { asked: true, taken: Instant::now(), status, metrics }
}

fn unreadable(error: serde_json::Error) -> CallError {
    CallError::Unreadable(error.to_string())
}

async fn ask(daemon: &Daemon, kept: &mut Option<Connection>, method: &str) -> Result<Value, CallError> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => daemon.connect().await?,
    };
    let answer = daemon.call(&mut connection, method, &Value::Null).await;
    // After any other error, what comes next on this connection is not sure.
    if answer.as_ref().err().is_none_or(CallError::is_missing_method) {
        *kept = Some(connection);
    }
    answer
}

/// What the counters were at the last sample.
#[derive(Debug, Default)]
struct Rates {
    /// The daemon's own clock: its answers may have been under way for longer or shorter.
    uptime_ms: Option<u64>,
    commands: Option<u64>,
    durations: Option<Buckets>,
    sinks: BTreeMap<String, (Option<u64>, Option<Buckets>)>,
}

impl Rates {
    fn points(&mut self, status: &Status, metrics: Option<&Families>) -> (GlobalPoint, Vec<(String, SinkPoint)>) {
        let before = self.uptime_ms.replace(status.uptime_ms);
        let elapsed = before.map(|before| wide(status.uptime_ms.saturating_sub(before)) / 1_000.0);
        let commands = per_second(self.commands, status.commands_total, elapsed);
        self.commands = status.commands_total;
        let durations = metrics.and_then(|metrics| metrics.find(COMMIT_DURATION));
        let durations = Buckets::sum(durations.iter().flat_map(|family| &family.samples));
        let global = with_percentiles([commands, f32::NAN, f32::NAN], 1, self.durations.as_ref(), &durations);
        self.durations = Some(durations);

        let mut before = std::mem::take(&mut self.sinks);
        let deliveries = metrics.and_then(|metrics| metrics.find(DELIVERY_DURATION));
        let sinks = status.sinks.iter().map(|sink| {
            let (delivered, durations_before) = before.remove(&sink.name).unwrap_or_default();
            let durations = Buckets::sum(deliveries.iter().flat_map(|family| family.with_label("sink", &sink.name)));
            let rate =
                sink.rate_events_per_s.map_or_else(|| per_second(delivered, sink.delivered_total, elapsed), narrow);
            let age = sink.lag_ms.map_or(0.0, |ms| narrow(wide(ms) / 1_000.0));
            let point = [narrow(wide(sink.lag_events)), age, rate, f32::NAN, f32::NAN];
            let point = with_percentiles(point, 3, durations_before.as_ref(), &durations);
            self.sinks.insert(sink.name.clone(), (sink.delivered_total, Some(durations)));
            (sink.name.clone(), point)
        });
        (global, sinks.collect())
    }
}

/// Puts the 50th and the 99th percentile of what came since the last sample, in milliseconds, at `index` and after it.
fn with_percentiles<const N: usize>(
    mut point: [f32; N],
    index: usize,
    before: Option<&Buckets>,
    now: &Buckets,
) -> [f32; N] {
    let Some(before) = before else { return point };
    let new = now.since(before);
    for (slot, q) in point.iter_mut().skip(index).zip([0.5, 0.99]) {
        *slot = new.quantile(q).map_or(f32::NAN, |seconds| narrow(seconds * 1_000.0));
    }
    point
}

/// NaN where there is nothing to compare with, or the counter began again.
fn per_second(before: Option<u64>, now: Option<u64>, elapsed_s: Option<f64>) -> f32 {
    match (before, now, elapsed_s) {
        (Some(before), Some(now), Some(elapsed)) if now >= before && elapsed >= ELAPSED_S_MIN => {
            narrow(wide(now - before) / elapsed)
        }
        (_, _, _) => f32::NAN,
    }
}

/// Charts do not need more digits.
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest; charts do not need more digits")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn wide(value: u64) -> f64 {
    value as f64
}
