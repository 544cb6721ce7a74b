//! `orderd send`
//!
//! Two threads share one connection: `requests` reads lines and sends them, this one reads answers and prints them.
//! The process ends when the answers end, even if more input could come: nobody would take it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, IsTerminal as _, Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{ClientError, Effect, ErrorObject};
use super::client_args::SocketArgs;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::send_window::{Ending, Window};
use super::terminal::one_line;

/// A line beyond this size is no request that a daemon could be configured to take.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024 + 1;
/// An answer beyond this size is not the daemon's.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// Send request lines and print the answers, in order
///
/// Each line is one JSON-RPC 2.0 request. Many are sent before the first answer is there; empty lines are left out.
/// A request without an id is a notification: it is carried out and not answered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd send requests.ndjson > answers.ndjson\n  \
    echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}' | orderd send\n\n\
    Exits 0 if every request got a result, 1 if the daemon refused any (75 if all that\n\
    it refused may be sent again later), 69 if it went away before the end.")]
pub struct SendArgs {
    /// The requests; standard input without it, or with -
    file: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// How long to wait for the daemon, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    timeout_ms: u64,
}

pub(super) fn run(args: &SendArgs, config: Option<&Path>) -> Result<(), Failure> {
    let timeout = Duration::from_millis(args.timeout_ms);
    let stream = args.socket.connect(config, timeout)?.into_stream();
    let input = Input::open(args.file.as_deref())?;
    let broken = |error| Failure::from(ClientError::Broken(error));
    let sending = stream.try_clone().map_err(broken)?;
    let window = Arc::new(Window::default());
    let bar = progress_bar(input.bytes);
    let theirs = Arc::clone(&window);
    std::thread::Builder::new()
        .name("requests".into())
        .spawn(move || {
            theirs.end(send_requests(input, &sending, &theirs));
            // Only now: the end of the requests brings on the end of the answers, and whoever sees that asks how the
            // sending ended. If this fails, the daemon has hung up already.
            sending.shutdown(Shutdown::Write).ok();
        })
        .map_err(|error| Failure::io("cannot start a thread", &error))?;
    let mut answers = Answers { window: &window, timeout, bar, refused: 0, answered: 0, retryable: 0, worst: None };
    let received = answers.receive(stream);
    answers.bar.finish_and_clear();
    received?;
    answers.judge()
}

/// Where the requests come from.
struct Input {
    lines: BufReader<Box<dyn Read + Send>>,
    name: String,
    /// How much there is, where that can be known.
    bytes: Option<u64>,
}

impl Input {
    fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let (source, name, bytes): (Box<dyn Read + Send>, _, _) = match file.filter(|file| *file != Path::new("-")) {
            None => (Box::new(io::stdin()), "standard input".to_owned(), None),
            Some(path) => {
                let name = path.display().to_string();
                let file = File::open(path).map_err(|error| Failure::io(format!("cannot read {name}"), &error))?;
                let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
                (Box::new(file), name, bytes)
            }
        };
        Ok(Self { lines: BufReader::with_capacity(BUFFER_BYTES, source), name, bytes })
    }

    /// The next line with its newline; the last one gets one, because a file, unlike a connection, is not cut off.
    fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        line.clear();
        let read = self.lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line);
        let read = read.map_err(|error| Failure::io(format!("cannot read {}", self.name), &error))?;
        if line.last() != Some(&b'\n') {
            if u64::try_from(line.len()).unwrap_or(u64::MAX) >= LINE_BYTES_MAX {
                let message = format!("{} has a line of more than {} bytes", self.name, LINE_BYTES_MAX - 1);
                return Err(Failure::new(Exit::Usage, message));
            }
            if read > 0 {
                line.push(b'\n');
            }
        }
        Ok(read > 0)
    }

    /// Whether the next line may have to be waited for.
    fn may_wait(&self) -> bool {
        !self.lines.buffer().contains(&b'\n')
    }
}

fn send_requests(mut input: Input, stream: &UnixStream, window: &Window) -> Ending {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, stream);
    let mut line = Vec::new();
    let ending = loop {
        match input.next(&mut line) {
            Ok(true) => {}
            Ok(false) => break Ending::AllSent,
            Err(failure) => break Ending::Failed(failure),
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answered = is_surely_answered(&line);
        // What is not sent is not answered: nothing may stay in the buffer while we wait.
        if answered && !window.has_room() && out.flush().is_err() {
            break Ending::HungUp;
        }
        window.take(u64::try_from(line.len()).unwrap_or(u64::MAX), answered);
        if out.write_all(&line).is_err() || (input.may_wait() && out.flush().is_err()) {
            break Ending::HungUp;
        }
    };
    if out.flush().is_err() { Ending::HungUp } else { ending }
}

/// Whether a line is answered for certain. Doubtful ones (an object without an id may be a notification, or no
/// request at all) are not waited for, so that nobody waits for ever.
fn is_surely_answered(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default, deserialize_with = "present")]
        id: bool,
    }
    fn present<'de, D: serde::Deserializer<'de>>(id: D) -> Result<bool, D::Error> {
        IgnoredAny::deserialize(id).map(|_| true)
    }
    serde_json::from_slice(line).is_ok_and(|head: Head| head.id)
}

struct Answers<'w> {
    window: &'w Window,
    timeout: Duration,
    bar: ProgressBar,
    refused: u64,
    answered: u64,
    /// Those among the refused that may be sent again later.
    retryable: u64,
    /// The first refusal that says more than that a request was refused: no permission, an internal error.
    worst: Option<Failure>,
}

impl Answers<'_> {
    /// Prints answers until there are no more.
    fn receive(&mut self, stream: UnixStream) -> Result<(), Failure> {
        let mut answers = BufReader::with_capacity(BUFFER_BYTES, stream);
        let mut output = Output::stdout();
        let mut line = Vec::new();
        loop {
            if answers.buffer().is_empty() {
                self.show(&mut output)?;
            }
            match answers.by_ref().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(_) if line.last() == Some(&b'\n') => {
                    self.count(&line);
                    output.write_all(&line).map_err(|error| Failure::io("cannot write the answers", &error))?;
                    line.clear();
                }
                // The end, or half a line before it.
                Ok(_) => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.window.outstanding() > 0 {
                        self.show(&mut output)?;
                        return Err(ClientError::Silent { timeout: self.timeout, effect: Effect::Command }.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(ClientError::Broken(error).into()),
            }
        }
        self.show(&mut output)
    }

    fn count(&mut self, answer: &[u8]) {
        #[derive(Deserialize)]
        struct Head {
            error: Option<ErrorObject>,
        }
        self.answered += 1;
        match serde_json::from_slice(answer) {
            Ok(Head { error: None }) => {}
            Ok(Head { error: Some(error) }) => {
                self.refused += 1;
                let exit = error.exit();
                self.retryable += u64::from(exit == Exit::Retry);
                if matches!(exit, Exit::Permission | Exit::Internal) {
                    self.worst.get_or_insert_with(|| Failure::new(exit, one_line(&error.message)));
                }
            }
            // What cannot be understood is no result.
            Err(_) => self.refused += 1,
        }
        self.window.abort();
    }

    fn show(&self, output: &mut Output) -> Result<(), Failure> {
        self.bar.set_position(self.window.bytes());
        self.bar.set_message(format!("{} answered, {} refused", self.answered, self.refused));
        let flushed = self.bar.suspend(|| output.flush());
        flushed.map_err(|error| Failure::io("cannot write the answers", &error))
    }

    /// The answers have ended: was that all?
    fn judge(&self) -> Result<(), Failure> {
        let (answered, refused) = (self.answered, self.refused);
        let unanswered = self.window.outstanding();
        if let Some(failure) = &self.worst {
            return Err(failure.clone());
        }
        match self.window.ending() {
            Some(Ending::AllSent) if unanswered == 0 && refused == 0 => Ok(()),
            Some(Ending::AllSent) if unanswered == 0 => {
                let exit = if self.retryable == refused { Exit::Retry } else { Exit::Refused };
                Err(Failure::new(exit, format!("{refused} of {answered} requests were refused")))
            }
            Some(Ending::Failed(failure)) => Err(failure),
            Some(Ending::AllSent | Ending::HungUp) | None => {
                let message = format!(
                    "the daemon closed the connection before the end; {answered} requests were answered, {refused} of \
                     them refused, and the others may have been carried out or not"
                );
                Err(Failure::new(Exit::NoDaemon, message))
            }
        }
    }
}

/// On standard error, and only if that is a terminal.
fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_answered_is_waited_for() {
        for line in ["{\"id\":1}", "{\"id\":null,\"method\":\"x\"}", " {\"a\":[{}],\"id\":\"s\"} \n"] {
            assert!(is_surely_answered(line.as_bytes()), "{line}");
        }
        for line in ["{}", "{\"method\":\"x\"}", "nonsense", "[]", "{\"a\":{\"id\":1}}", "{\"id\":1,\"id\":2}"] {
            assert!(!is_surely_answered(line.as_bytes()), "{line}");
        }
    }
}
