//! Structured logs on standard error in the daemon's formats.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The key `log_level`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what an operator has to mend.
    Error,
    /// And what may pass by itself.
    Warn,
    /// And what changes: attached, detached, stopping.
    #[default]
    Info,
    /// And every event.
    Debug,
    /// And what libraries say.
    Trace,
}

/// The key `log_format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A line of JSON.
    Json,
}

/// Starts the log of this process. Only the first call has an effect.
pub(crate) fn start(level: LogLevel, format: LogFormat) {
    let lines = fmt::layer().with_ansi(false).with_thread_names(true).with_writer(EscapedStderr);
    let registry = tracing_subscriber::registry().with(filter(level));
    let started = match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    // A log that runs already keeps running.
    drop(started);
}

/// Libraries speak at the level `trace` alone: some of them print what they carry.
fn filter(level: LogLevel) -> Targets {
    let ours = level_filter(level);
    let others = if level == LogLevel::Trace { LevelFilter::TRACE } else { LevelFilter::OFF };
    Targets::new().with_default(others).with_target("orderd_sink", ours)
}

const fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Standard error, one write a log line, without control characters: what a target answers is text from outside.
struct EscapedStderr;

impl<'w> MakeWriter<'w> for EscapedStderr {
    type Writer = Escaped<io::Stderr>;

    fn make_writer(&'w self) -> Self::Writer {
        Escaped(io::stderr())
    }
}

struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    /// A whole log line, as the formatter hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
        self.0.write_all((crate::text::escape(text) + end).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
