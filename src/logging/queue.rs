//! The way of log lines to standard error.

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tracing_subscriber::fmt::MakeWriter;

use super::escape::escape;
use crate::telemetry::LogMetrics;

/// Lines that wait for standard error.
const LINES_MAX: usize = 4096;
/// Bytes of one of them; what is longer is cut.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// How long the end of the process waits for lines to be written.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// The queue of this process.
static QUEUE: OnceLock<Queue> = OnceLock::new();

#[derive(Debug)]
struct Queue {
    sender: Sender<Message>,
    metrics: Arc<LogMetrics>,
}

enum Message {
    Line(String),
    /// Answered when all lines before it are written.
    Flush(Sender<()>),
}

/// Starts the thread that writes; only the first call has an effect. Without a thread lines are dropped and counted.
pub(super) fn start() -> Arc<LogMetrics> {
    let queue = QUEUE.get_or_init(|| {
        let (sender, lines) = bounded(LINES_MAX);
        let metrics = Arc::<LogMetrics>::default();
        let counted = Arc::clone(&metrics);
        let started = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, &counted));
        if let Err(error) = started {
            // There is no log yet to tell it to, and no reason to end: the daemon works without one.
            writeln!(io::stderr(), "orderd: no thread for the log: {error}").ok();
        }
        Queue { sender, metrics }
    });
    Arc::clone(&queue.metrics)
}

/// Waits until what was logged is written, but not long: standard error may take nothing any more. To be called before
/// the process ends.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, flushed) = bounded(1);
    let deadline = Instant::now() + FLUSH_MAX;
    if queue.sender.send_deadline(Message::Flush(done), deadline).is_ok() {
        // Either way there is nothing more to be done about it.
        flushed.recv_deadline(deadline).ok();
    }
}

fn write_all(lines: &Receiver<Message>, metrics: &LogMetrics) {
    // What was dropped and cannot be told, or was told.
    let mut settled = 0;
    for message in lines {
        match message {
            Message::Line(line) => {
                if io::stderr().write_all(line.as_bytes()).is_err() {
                    metrics.dropped_lines.add(1);
                    settled += 1;
                }
            }
            Message::Flush(done) => drop(done.send(())),
        }
        let dropped = metrics.dropped_lines.get();
        if dropped > settled && lines.is_empty() {
            tracing::warn!(lines = dropped - settled, "log lines were dropped, because standard error took none");
            settled = dropped;
        }
    }
}

/// Puts log lines into the queue.
pub(super) struct QueuedLines;

impl MakeWriter<'_> for QueuedLines {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        LineWriter
    }
}

/// Takes one log line.
pub(super) struct LineWriter;

impl io::Write for LineWriter {
    /// A whole log line, as the formatter hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(queue) = QUEUE.get() {
            match queue.sender.try_send(Message::Line(escape(cut(line)))) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => queue.metrics.dropped_lines.add(1),
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The beginning of a line that is too long, on a line of its own still.
fn cut(line: &[u8]) -> &[u8] {
    line.get(..LINE_BYTES_MAX).unwrap_or(line)
}
