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
    /// What was read is in `start..filled`; the rest is room for more.
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to here there is no line break after `start`.
    searched: usize,
    /// Where the next bytes go.
    filled: usize,
    line_bytes_max: usize,
}

impl Lines {
    fn new(stream: UnixStream, line_bytes_max: usize) -> Self {
        Self { stream, buffer: vec![0; READ_BYTES], start: 0, searched: 0, filled: 0, line_bytes_max }
    }

    /// The next whole line of what was read, without its line break.
    fn next_whole(&mut self) -> Result<Option<Vec<u8>>, String> {
        let unsearched = self.buffer.get(self.searched..self.filled).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', unsearched).map(|at| self.searched + at) else {
            self.searched = self.filled;
            if self.filled - self.start > self.line_bytes_max {
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
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.len() - self.filled < READ_BYTES / 2 {
            self.buffer.resize(self.filled + READ_BYTES, 0);
        }
        let read = loop {
            match self.stream.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let bytes = read.map_err(|error| format!("the connection to the daemon broke: {error}"))?;
        self.filled += bytes;
        Ok(bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_length_and_in_any_pieces_come_out_whole() {
        let (mut daemon, stream) = UnixStream::pair().unwrap();
        let sent: Vec<String> = (0..400).map(|number| "x".repeat(number * 97 % 70_000)).collect();
        let text: String = sent.iter().map(|line| format!("{line}\n")).collect();
        let writing = thread::Builder::new().spawn(move || {
            for piece in text.as_bytes().chunks(1_009) {
                daemon.write_all(piece).unwrap();
            }
        });
        let mut lines = Lines::new(stream, 100_000);
        let mut read = Vec::new();
        loop {
            while let Some(line) = lines.next_whole().unwrap() {
                read.push(String::from_utf8(line).unwrap());
            }
            if !lines.fill().unwrap() {
                break;
            }
        }
        writing.unwrap().join().unwrap();
        assert_eq!(read, sent);
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let (mut daemon, stream) = UnixStream::pair().unwrap();
        daemon.write_all(&[b'x'; 5_000]).unwrap();
        drop(daemon);
        let mut lines = Lines::new(stream, 4_096);
        while lines.next_whole().is_ok() {
            assert!(lines.fill().unwrap(), "the end of the stream came first");
        }
    }
}
