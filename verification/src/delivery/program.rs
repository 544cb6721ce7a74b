//! The attached program: a socket, and what it was handed and has not answered.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use orderd::contracts::{AttachInbox, AttachRequest};

use super::item::Item;

/// An event as it was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOut {
    /// Its tag on this connection.
    pub tag: u64,
    /// Its number; of an order of a snapshot, that of the position.
    pub sequence: u64,
    /// Its order.
    pub subject: String,
    /// Whether it is an order of a snapshot.
    pub is_snapshot: bool,
    /// Whether a replay hands it out.
    pub replayed: bool,
    /// The event itself.
    pub event: String,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An event to be answered.
    Event(HandedOut),
    /// The connection is closed, or about to be.
    Closed,
    /// The attach was answered.
    Answered,
}

/// One connection.
pub struct Program {
    stream: UnixStream,
    input: Vec<u8>,
    /// Whether the daemon has answered that it is attached.
    pub attached: bool,
    /// What was handed out and not answered, by tag.
    pub in_flight: BTreeMap<u64, HandedOut>,
    /// Tags that count for nothing any more.
    pub voided: Vec<u64>,
    /// Tags that were answered.
    pub answered: Vec<u64>,
    /// What it called delivered since the daemon's worker had its last turn.
    pub said: Vec<Item>,
}

impl Program {
    /// Asks to be attached; the worker answers in its next turn.
    ///
    /// # Errors
    /// There is no socket to be had.
    pub fn attach(inbox: &AttachInbox, take_over: bool, in_flight_max: usize) -> Result<Self, String> {
        let (stream, other) = UnixStream::pair().map_err(|error| format!("a pair of sockets: {error}"))?;
        stream.set_nonblocking(true).map_err(|error| format!("not to block: {error}"))?;
        let request = AttachRequest {
            id: "1".into(),
            uid: 0,
            program: "simulated".into(),
            in_flight_max: Some(in_flight_max),
            take_over,
            stream: other,
            received: Vec::new(),
            occupancy: Box::new(()),
        };
        inbox.put(request).map_err(|_| "too many programs wait to be attached".to_owned())?;
        Ok(Self {
            stream,
            input: Vec::new(),
            attached: false,
            in_flight: BTreeMap::new(),
            voided: Vec::new(),
            answered: Vec::new(),
            said: Vec::new(),
        })
    }

    /// Everything that was said since the last call.
    ///
    /// # Errors
    /// A line that no program could read.
    pub fn read(&mut self) -> Result<Vec<Said>, String> {
        let mut ended = false;
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    ended = true;
                    break;
                }
            }
        }
        let whole = self.input.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let lines: Vec<u8> = self.input.drain(..whole).collect();
        let mut said = Vec::new();
        for line in String::from_utf8_lossy(&lines).lines() {
            said.push(parse(line)?);
        }
        if ended {
            said.push(Said::Closed);
        }
        Ok(said)
    }

    /// Says something; nobody may be there to hear it.
    pub fn say(&mut self, method: &str, params: &str) {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}\n");
        self.stream.write_all(line.as_bytes()).ok();
    }
}

fn parse(line: &str) -> Result<Said, String> {
    let unreadable = || format!("an unreadable line: {line}");
    if line.contains("\"method\":\"closing\"") {
        return Ok(Said::Closed);
    }
    if !line.contains("\"method\":\"event\"") {
        return if line.contains("\"result\":") { Ok(Said::Answered) } else { Ok(Said::Closed) };
    }
    let tag = number_after(line, "\"tag\":").ok_or_else(unreadable)?;
    let sequence = number_after(line, "\"sequence\":\"").ok_or_else(unreadable)?;
    let (_, event) = line.split_once("\"event\":").ok_or_else(unreadable)?;
    let (event, rest) = event.rsplit_once("}}}").map_or((event, ""), |(event, rest)| (event, rest));
    let (event, replayed) = match event.split_once(",\"replay\":\"") {
        Some((event, _)) => (event.to_owned(), true),
        None => (format!("{event}}}"), false),
    };
    if !rest.is_empty() {
        return Err(unreadable());
    }
    let subject = text_after(&event, "\"subject\":\"").ok_or_else(unreadable)?.to_owned();
    let is_snapshot = text_after(&event, "\"type\":\"") == Some("OrderSnapshot");
    Ok(Said::Event(HandedOut { tag, sequence, subject, is_snapshot, replayed, event }))
}

fn text_after<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(name)?;
    rest.split('"').next()
}

fn number_after(line: &str, name: &str) -> Option<u64> {
    let rest = line.get(line.find(name)? + name.len()..)?;
    let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
