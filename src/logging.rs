//! Structured logs on standard error, as text or as lines of JSON. Orders, reasons and ids of clients are no business
//! of the log; what was asked and answered is in the journal.

use std::io::{self, Write};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{Config, LogConfig, LogFormat, LogLevel};

/// Changes the level while the daemon runs.
#[derive(Debug, Clone)]
pub struct LogHandle(reload::Handle<LevelFilter, Registry>);

/// Starts the log of this process. Only the first call has an effect.
#[must_use]
pub fn start(config: LogConfig) -> LogHandle {
    let (level, handle) = reload::Layer::new(filter(config.level));
    let lines = fmt::layer().with_ansi(false).with_thread_names(true).with_writer(EscapedStderr);
    let registry = tracing_subscriber::registry().with(level);
    let started = match config.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    // A log that runs already keeps running.
    drop(started);
    LogHandle(handle)
}

impl LogHandle {
    /// From now on, lines of this weight and above are written.
    pub fn set_level(&self, level: LogLevel) {
        // The subscriber lives as long as the process, so there is always one to change.
        self.0.reload(filter(level)).ok();
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

/// Standard error, one write a log line, without control characters: a line break in a client's text would otherwise
/// pass for a log line of our own, and an escape sequence could hide one from whoever reads it on a terminal.
struct EscapedStderr;

impl<'w> MakeWriter<'w> for EscapedStderr {
    type Writer = Escaped<io::Stderr>;

    fn make_writer(&'w self) -> Self::Writer {
        Escaped(io::stderr())
    }
}

/// Escapes what is written to it.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    /// A whole log line, as the formatter hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(escape(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters but the last line break, in the form that JSON knows as well.
fn escape(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
    let mut escaped = String::with_capacity(line.len());
    for c in text.chars() {
        // U+2028 and U+2029 break lines in some viewers; the bidirectional marks reorder them.
        let deceiving = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || deceiving {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_line_breaks_or_escapes_stays_on_its_line() {
        assert_eq!(escape(b"a b\n"), "a b\n");
        assert_eq!(escape(b"a\nINFO fake\r\n"), "a\\u000aINFO fake\\u000d\n");
        assert_eq!(escape(b"\x1b[2J\x7f\tx"), "\\u001b[2J\\u007f\\u0009x");
        assert_eq!(escape("\u{9b}31m \u{202e}abc".as_bytes()), "\\u009b31m \\u202eabc");
        assert_eq!(escape("größe €".as_bytes()), "größe €");
        assert_eq!(escape(b"\xff"), "\u{fffd}");
        assert_eq!(escape(b""), "");
    }
}
