//! What a load run found.

use super::load::{Load, Mix};
use hdrhistogram::{CreationError, Histogram};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The figures of one run. Commands count if they were answered between warm-up and end, latencies if their command was
/// sent in between.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Connections.
    pub connections: usize,
    /// Commands in flight on each of them, at most.
    pub in_flight: usize,
    /// What the commands were.
    pub mix: Mix,
    /// Commands a second asked for; null: as many as the answers allowed.
    pub rate: Option<f64>,
    /// How long was measured.
    pub seconds: f64,
    /// Commands answered with a result.
    pub commands: u64,
    /// The same, by second.
    pub commands_per_second: f64,
    /// Commands refused, by kind of error.
    pub refused: BTreeMap<String, u64>,
    /// Commands that a rate asked for and that could not be sent, the windows being full until long after the end.
    pub unsent: u64,
    /// From sending (or, with a rate, from when it was due) to the answer, in microseconds.
    pub latency_us: Latency,
    /// Bytes of requests, by answered command.
    pub request_bytes: f64,
    /// Bytes of answers, by answered command.
    pub answer_bytes: f64,
    /// Processor time that this program itself took, by second.
    pub client_cpu: f64,
}

/// Percentiles of a latency, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[expect(missing_docs, reason = "their names say it")]
pub struct Latency {
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

/// The counters of a run that goes on.
#[derive(Debug)]
pub struct Tally {
    start_ns: u64,
    end_ns: u64,
    /// When the newest counted answer came.
    last_ns: u64,
    answered: u64,
    done: u64,
    refused: BTreeMap<String, u64>,
    sent_bytes: u64,
    received_bytes: u64,
    latency_ns: Histogram<u64>,
    cpu_ns_at_start: Option<u64>,
    cpu_ns_at_last: u64,
}

const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
const LATENCY_DIGITS: u8 = 3;

impl Tally {
    /// Counts what happens from `start_ns` until before `end_ns`.
    pub fn new(start_ns: u64, end_ns: u64) -> Result<Self, CreationError> {
        Ok(Self {
            start_ns,
            end_ns,
            last_ns: start_ns,
            answered: 0,
            done: 0,
            refused: BTreeMap::new(),
            sent_bytes: 0,
            received_bytes: 0,
            latency_ns: Histogram::new_with_bounds(1, LATENCY_NS_MAX, LATENCY_DIGITS)?,
            cpu_ns_at_start: None,
            cpu_ns_at_last: 0,
        })
    }

    /// Nothing counts from here on.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Commands answered with a result since the start of the run.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// A result.
    pub fn done(&mut self, sent_ns: u64, now_ns: u64) {
        self.answered = self.answered.saturating_add(1);
        if self.counts(now_ns) {
            self.done = self.done.saturating_add(1);
        }
        // By when it was sent, since one that is answered only after the end has waited longest.
        if self.counts(sent_ns) {
            self.latency_ns.saturating_record(now_ns.saturating_sub(sent_ns));
        }
    }

    /// A refusal.
    pub fn refused(&mut self, kind: String, now_ns: u64) {
        if self.counts(now_ns) {
            let count = self.refused.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Bytes written.
    pub fn sent(&mut self, bytes: u64, now_ns: u64) {
        if self.counts(now_ns) {
            self.sent_bytes = self.sent_bytes.saturating_add(bytes);
        }
    }

    /// Bytes read, after their answers were counted.
    pub fn received(&mut self, bytes: u64, now_ns: u64) {
        if self.counts(now_ns) {
            self.received_bytes = self.received_bytes.saturating_add(bytes);
            self.last_ns = now_ns;
            self.cpu_ns_at_last = process_cpu_ns();
            self.cpu_ns_at_start.get_or_insert(self.cpu_ns_at_last);
        }
    }

    fn counts(&self, now_ns: u64) -> bool {
        now_ns >= self.start_ns && now_ns < self.end_ns
    }

    /// The figures.
    pub fn report(&self, load: &Load, unsent: u64) -> Report {
        // With an end in time the whole time counts, also when nothing was answered in the rest of it.
        let until_ns = if self.end_ns == u64::MAX { self.last_ns } else { self.end_ns };
        let seconds = as_f64(until_ns.saturating_sub(self.start_ns)) / 1e9;
        let cpu_ns = self.cpu_ns_at_last.saturating_sub(self.cpu_ns_at_start.unwrap_or_default());
        let done = as_f64(self.done);
        Report {
            connections: load.connections,
            in_flight: load.in_flight,
            mix: load.mix,
            rate: load.rate,
            seconds,
            commands: self.done,
            commands_per_second: ratio(done, seconds),
            refused: self.refused.clone(),
            unsent,
            latency_us: Latency::of_nanoseconds(&self.latency_ns),
            request_bytes: ratio(as_f64(self.sent_bytes), done),
            answer_bytes: ratio(as_f64(self.received_bytes), done),
            client_cpu: ratio(as_f64(cpu_ns) / 1e9, seconds),
        }
    }
}

impl Latency {
    /// The percentiles of a histogram of nanoseconds.
    pub fn of_nanoseconds(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| as_f64(histogram.value_at_quantile(quantile)) / 1e3;
        Self {
            min: as_f64(histogram.min()) / 1e3,
            mean: histogram.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: as_f64(histogram.max()) / 1e3,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} connections, {} in flight each, {:.1} s{}",
            self.connections,
            self.in_flight,
            self.seconds,
            self.rate.map(|rate| format!(", {rate:.0} commands/s asked for")).unwrap_or_default()
        )?;
        writeln!(out, "commands  {}   {:.0}/s", self.commands, self.commands_per_second)?;
        for (kind, count) in &self.refused {
            writeln!(out, "refused   {count}   {kind}")?;
        }
        if self.unsent > 0 {
            writeln!(out, "not sent  {}   the daemon does not keep up with this rate", self.unsent)?;
        }
        let latency = &self.latency_us;
        write!(out, "latency  ")?;
        for (name, value_us) in [
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p99.9", latency.p99_9),
            ("max", latency.max),
        ] {
            write!(out, " {name} {}  ", Duration(value_us))?;
        }
        writeln!(out)?;
        write!(
            out,
            "a command: {:.0} bytes asked, {:.0} answered; this program took {:.0} % of a processor",
            self.request_bytes,
            self.answer_bytes,
            self.client_cpu * 100.0
        )
    }
}

/// Microseconds, in the unit that reads best.
struct Duration(f64);

impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000.0 {
            write!(out, "{:.0} µs", self.0)
        } else if self.0 < 1_000_000.0 {
            write!(out, "{:.2} ms", self.0 / 1_000.0)
        } else {
            write!(out, "{:.2} s", self.0 / 1_000_000.0)
        }
    }
}

fn process_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

fn ratio(amount: f64, over: f64) -> f64 {
    if over > 0.0 { amount / over } else { 0.0 }
}

/// Counters stay far below 2^53.
fn as_f64(number: u64) -> f64 {
    number as f64
}
