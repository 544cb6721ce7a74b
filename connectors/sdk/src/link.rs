//! The connection to the daemon: a thread that attaches and then reads.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::event::Event;
use crate::protocol::{self, Attached, FromDaemon, Refusal};

/// How many bytes are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What the reading thread has to say, in this order: attached or not, events, the end.
#[derive(Debug)]
pub(crate) enum FromLink {
    /// The daemon hands out events from now on.
    Attached(Attached, Writer),
    /// Handed out together.
    Events(Vec<Event>),
    /// The daemon's own word about why it closes.
    Closing { kind: String, message: String },
    /// The daemon does not let us attach.
    Refused(Refusal),
    /// The connection is over.
    Ended(String),
}

/// What a link needs to know.
#[derive(Debug, Clone)]
pub(crate) struct LinkOptions {
    pub(crate) socket: PathBuf,
    pub(crate) sink: String,
    pub(crate) program: String,
    pub(crate) in_flight_max: usize,
    pub(crate) line_bytes_max: usize,
    /// How long the daemon may take to answer the attach, or to take a line of ours.
    pub(crate) wait_max: Duration,
}

/// Sends lines to the daemon.
#[derive(Debug)]
pub(crate) struct Writer(UnixStream);

impl Writer {
    /// Sends whole lines.
    pub(crate) fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)
    }

    /// Nothing more will come: the daemon detaches after what was sent.
    pub(crate) fn finish(&self) {
        // A connection that is gone already is finished, too.
        self.0.shutdown(Shutdown::Write).ok();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Ends the reading thread.
        self.0.shutdown(Shutdown::Both).ok();
    }
}

/// Starts a thread that attaches and reads.
pub(crate) fn start(options: LinkOptions) -> io::Result<Receiver<FromLink>> {
    // Each message holds at least one unanswered event, so what is in flight fits whatever the session does meanwhile.
    let (sender, receiver) = bounded(options.in_flight_max + 16);
    thread::Builder::new().name("daemon".to_owned()).spawn(move || {
        let end = match attach(&options) {
            Ok((Ok(attached), lines, writer)) => {
                // A receiver that is gone wants nothing more.
                sender.send(FromLink::Attached(attached, writer)).ok();
                read_on(lines, &sender)
            }
            Ok((Err(refusal), _, _)) => FromLink::Refused(refusal),
            Err(error) => FromLink::Ended(error),
        };
        sender.send(end).ok();
    })?;
    Ok(receiver)
}

type Greeting = (Result<Attached, Refusal>, Lines, Writer);

fn attach(options: &LinkOptions) -> Result<Greeting, String> {
    let stream = connect(&options.socket)?;
    let lost = |error: io::Error| format!("the daemon was lost while attaching: {error}");
    stream.set_read_timeout(Some(options.wait_max)).map_err(lost)?;
    stream.set_write_timeout(Some(options.wait_max)).map_err(lost)?;
    let mut writer = Writer(stream.try_clone().map_err(lost)?);
    let request = protocol::attach_request(&options.sink, &options.program, options.in_flight_max);
    writer.send(request.as_bytes()).map_err(lost)?;
    let mut lines = Lines::new(stream, options.line_bytes_max);
    let line = loop {
        match lines.next_whole()? {
            Some(line) => break line,
            None if lines.fill()? => {}
            None => return Err("the daemon closed the connection instead of answering".to_owned()),
        }
    };
    let answer = protocol::attach_answer(&line).map_err(|error| format!("the daemon's answer: {error}"))?;
    lines.stream.set_read_timeout(None).map_err(lost)?;
    Ok((answer, lines, writer))
}

fn connect(socket: &Path) -> Result<UnixStream, String> {
    UnixStream::connect(socket).map_err(|error| format!("no daemon answers at {}: {error}", socket.display()))
}

fn read_on(mut lines: Lines, sender: &Sender<FromLink>) -> FromLink {
    match read_until_end(&mut lines, sender) {
        Ok(()) => FromLink::Ended("the daemon closed the connection".to_owned()),
        Err(error) => FromLink::Ended(error),
    }
}

fn read_until_end(lines: &mut Lines, sender: &Sender<FromLink>) -> Result<(), String> {
    loop {
        let mut events = Vec::new();
        while let Some(line) = lines.next_whole()? {
            match protocol::notification(&line).map_err(|error| error.to_string())? {
                FromDaemon::Event(event) => events.push(event),
                FromDaemon::Closing { kind, message } => {
                    sender.send(FromLink::Closing { kind, message }).ok();
                }
                FromDaemon::Unknown(method) => tracing::debug!(method, "the daemon said something unknown"),
            }
        }
        if !events.is_empty() && sender.send(FromLink::Events(events)).is_err() {
            return Ok(());
        }
        if !lines.fill()? {
            return Ok(());
        }
    }
}

/// Cuts a stream into lines.
#[derive(Debug)]
struct Lines {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to here there is no line break after `start`.
    searched: usize,
    line_bytes_max: usize,
}

impl Lines {
    const fn new(stream: UnixStream, line_bytes_max: usize) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, searched: 0, line_bytes_max }
    }

    /// The next whole line of what was read, without its line break.
    fn next_whole(&mut self) -> Result<Option<Vec<u8>>, String> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', unsearched).map(|at| self.searched + at) else {
            self.searched = self.buffer.len();
            let bytes = self.buffer.len() - self.start;
            if bytes > self.line_bytes_max {
                return Err(format!("the daemon sent a line of more than line_bytes_max = {}", self.line_bytes_max));
            }
            return Ok(None);
        };
        let line = self.buffer.get(self.start..end).unwrap_or_default().to_vec();
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self) -> Result<bool, String> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + READ_BYTES, 0);
        let read = loop {
            match self.stream.read(self.buffer.get_mut(held..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(held + *read.as_ref().unwrap_or(&0));
        read.map(|bytes| bytes > 0).map_err(|error| format!("the connection to the daemon broke: {error}"))
    }
}
