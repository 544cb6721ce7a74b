//! One connection of a load run: what it has sent, what it waits for, and the orders it may complete.

use super::dialect::{Dialect, Verb, Verdict};
use super::error::LoadError;
use super::load::Mix;
use super::orders::OrderNames;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What one answer was to.
#[derive(Debug)]
pub struct Answered {
    /// What it says.
    pub verdict: Verdict,
    /// The order, if it was to be placed.
    pub placed: Option<u64>,
    /// When its request was sent, or should have been, in nanoseconds since the start of the run.
    pub sent_ns: u64,
}

/// What the socket still takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All is written.
    Whole,
    /// The rest waits for room.
    Rest,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    mix: Mix,
    waiting: VecDeque<Sent>,
    /// Orders whose place was answered with a result. A client ends only what it knows to exist.
    placed: VecDeque<u64>,
    place_next: bool,
    inbox: Vec<u8>,
    inbox_bytes: usize,
    outbox: Vec<u8>,
    outbox_written_bytes: usize,
}

#[derive(Debug)]
struct Sent {
    id: u64,
    verb: Verb,
    order: u64,
    sent_ns: u64,
}

const INBOX_BYTES: usize = 128 * 1024;

impl Connection {
    /// Connects, and never blocks afterwards.
    pub fn open(socket: &Path, mix: Mix) -> Result<Self, LoadError> {
        let stream =
            UnixStream::connect(socket).map_err(|source| LoadError::Connect { socket: socket.to_owned(), source })?;
        stream.set_nonblocking(true).map_err(LoadError::socket("set up"))?;
        Ok(Self {
            stream,
            mix,
            waiting: VecDeque::new(),
            placed: VecDeque::new(),
            place_next: true,
            inbox: vec![0; INBOX_BYTES],
            inbox_bytes: 0,
            outbox: Vec::new(),
            outbox_written_bytes: 0,
        })
    }

    /// Commands sent and not yet answered.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Renders the next command; `number` is the run's next command number, and `new_order` gives the run's next order.
    pub fn send(
        &mut self,
        number: u64,
        sent_ns: u64,
        names: OrderNames,
        dialect: &mut impl Dialect,
        new_order: impl FnOnce() -> u64,
    ) {
        let (verb, order) = self.choose(new_order);
        dialect.render(verb, number, &names.order(order), &mut self.outbox);
        self.waiting.push_back(Sent { id: number, verb, order, sent_ns });
    }

    fn choose(&mut self, new_order: impl FnOnce() -> u64) -> (Verb, u64) {
        let (second, again) = match self.mix {
            Mix::Place => return (Verb::Place, new_order()),
            Mix::PlaceComplete => (Verb::Complete, false),
            Mix::PlaceCancel => (Verb::Cancel, false),
            Mix::Get => (Verb::Get, true),
        };
        let known = match (self.place_next, again) {
            (_, true) => self.placed.front().copied(),
            (true, false) => None,
            (false, false) => self.placed.pop_front(),
        };
        // Until the first answer is there, there is nothing but placing.
        self.place_next = known.is_some();
        known.map_or_else(|| (Verb::Place, new_order()), |order| (second, order))
    }

    /// Writes what is rendered, as far as the socket takes it. Returns how far, and the bytes written now.
    pub fn flush(&mut self) -> Result<(Flushed, u64), LoadError> {
        let start = self.outbox_written_bytes;
        while let Some(rest) = self.outbox.get(self.outbox_written_bytes..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(LoadError::Closed),
                Ok(bytes) => self.outbox_written_bytes = self.outbox_written_bytes.saturating_add(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok((Flushed::Rest, bytes_between(start, self.outbox_written_bytes)));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(LoadError::socket("write")(error)),
            }
        }
        let bytes = bytes_between(start, self.outbox_written_bytes);
        self.outbox.clear();
        self.outbox_written_bytes = 0;
        Ok((Flushed::Whole, bytes))
    }

    /// Reads once and hands every whole answer to `take`. Returns the bytes read.
    pub fn receive(
        &mut self,
        dialect: &mut impl Dialect,
        mut take: impl FnMut(Answered) -> Result<(), LoadError>,
    ) -> Result<u64, LoadError> {
        let Some(room) = self.inbox.get_mut(self.inbox_bytes..).filter(|room| !room.is_empty()) else {
            return Err(LoadError::Wrong(format!("an answer line is longer than {INBOX_BYTES} bytes")));
        };
        let bytes = match self.stream.read(room) {
            Ok(0) => return Err(LoadError::Closed),
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(0),
            Err(error) => return Err(LoadError::socket("read")(error)),
        };
        self.inbox_bytes = self.inbox_bytes.saturating_add(bytes);

        let mut line_start = 0;
        let filled = self.inbox.get(..self.inbox_bytes).unwrap_or_default();
        for line_end in memchr::memchr_iter(b'\n', filled) {
            let line = filled.get(line_start..line_end).unwrap_or_default();
            line_start = line_end.saturating_add(1);
            let Some(sent) = self.waiting.pop_front() else {
                return Err(match dialect.judge(line, u64::MAX) {
                    Verdict::TurnedAway(refusal) => LoadError::TurnedAway(refusal),
                    Verdict::Done | Verdict::Refused(_) | Verdict::Wrong(_) => {
                        LoadError::Wrong("an answer came that nobody waits for".to_owned())
                    }
                });
            };
            let verdict = dialect.judge(line, sent.id);
            if sent.verb == Verb::Place && verdict == Verdict::Done && self.mix != Mix::Place {
                self.placed.push_back(sent.order);
            }
            let placed = (sent.verb == Verb::Place).then_some(sent.order);
            take(Answered { verdict, placed, sent_ns: sent.sent_ns })?;
        }
        self.inbox.copy_within(line_start..self.inbox_bytes, 0);
        self.inbox_bytes = self.inbox_bytes.saturating_sub(line_start);
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn bytes_between(start: usize, end: usize) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(u64::MAX)
}
