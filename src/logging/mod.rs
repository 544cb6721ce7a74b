//! Structured logs on standard error, as text or as lines of JSON. Orders, reasons and ids of clients are not logged; what
//! was asked and answered is in the journal.
//!
//! A thread that logs never waits for standard error: lines go through a queue to a thread of their own, and are dropped
//! and counted while the queue is full.

mod escape;
mod queue;

use std::sync::Arc;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

pub use queue::flush;

use crate::config::{Config, LogConfig, LogFormat, LogLevel};
use crate::telemetry::LogMetrics;
use queue::QueuedLines;

/// Changes the level while the daemon runs.
#[derive(Debug, Clone)]
pub struct LogHandle {
    level: reload::Handle<LevelFilter, Registry>,
    metrics: Arc<LogMetrics>,
}

/// Starts the log of this process. Only the first call has an effect.
#[must_use]
pub fn start(config: LogConfig) -> LogHandle {
    let (level, handle) = reload::Layer::new(filter(config.level));
    let metrics = queue::start();
    let lines = fmt::layer().with_ansi(false).with_thread_names(true).with_writer(QueuedLines);
    let registry = tracing_subscriber::registry().with(level);
    let started = match config.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    // A log that runs already keeps running.
    drop(started);
    LogHandle { level: handle, metrics }
}

impl LogHandle {
    /// What the log counts of itself.
    #[must_use]
    pub fn metrics(&self) -> Arc<LogMetrics> {
        Arc::clone(&self.metrics)
    }

    /// From now on, lines of this weight and above are written.
    pub fn set_level(&self, level: LogLevel) {
        // The subscriber lives as long as the process, so there is always one to change.
        self.level.reload(filter(level)).ok();
    }

    /// Takes the level from the configuration as it is now. A configuration that has become wrong changes nothing, and
    /// the log says so.
    pub fn reread(&self, running: &Config) {
        match running.read_again() {
            Ok(config) => {
                self.set_level(config.log.level);
                tracing::info!(level = config.log.level.as_str(), "read the log level again");
                if (Config { log: running.log, ..config }) != *running {
                    tracing::warn!("the configuration has changed: everything but log.level needs a restart");
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the configuration again; the log level stays as it is");
            }
        }
    }
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
