//! One client: its lines in, its answers out, in order and within limits.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::exchange::Exchange;
use super::line_buffer::{Filled, LineBuffer, NextLine};
use super::protocol::{self, Incoming};
use super::replies::Replies;
use super::response::write_error;
use super::wire_error::{ErrorKind, WireError};
use crate::contracts::{ConnectionId, Outcome};

/// Lines of one connection that are taken before the others have their turn.
const TURN_LINES_MAX: usize = 256;
/// How long a client that was turned away may take to notice: closing at once would reset the connection under a
/// client that is still sending, and it would never see why.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what it still sends is thrown away meanwhile.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One client.
#[derive(Debug)]
pub(super) struct Connection {
    id: ConnectionId,
    stream: UnixStream,
    /// Whether its user is among those allowed.
    permitted: bool,
    intake: Intake,
    lines: LineBuffer,
    replies: Replies,
    /// There may be something to read: edge-triggered, so this must not be forgotten.
    readable: bool,
    /// The client has closed its side, which only a read of 0 bytes confirms.
    hung_up: bool,
    /// The client must read before more can be sent.
    blocked: bool,
    watches_writes: bool,
    /// What `Exchange` was told that `replies` hold.
    counted_bytes: usize,
    /// When a byte last went in or out, or began to wait for going out.
    active_at: Instant,
    /// When the line that is not whole yet began.
    line_since: Option<Instant>,
}

/// What is still taken from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    /// Everything.
    Open,
    /// Whole lines that are here already.
    Ended,
    /// Nothing more; it is closed once its answers are sent.
    Shut,
    /// All is said; what still comes is thrown away.
    Lingering { until: Instant, bytes: usize },
}

/// What is to be done with a connection after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is more to do at once.
    Again,
    /// Something must happen first.
    Wait,
    /// It is over.
    Close(Closing),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Everything is answered, and nothing more will come.
    Finished,
    /// The client is gone.
    Gone,
    /// Nothing was said for `idle_ms_max`.
    Idle,
    /// Answers were not taken for `write_ms_max`.
    SlowReader,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        stream: UnixStream,
        permitted: bool,
        line_bytes_max: usize,
        now: Instant,
    ) -> Self {
        Self {
            id,
            stream,
            permitted,
            intake: Intake::Open,
            lines: LineBuffer::new(line_bytes_max),
            replies: Replies::default(),
            readable: true,
            hung_up: false,
            blocked: false,
            watches_writes: false,
            counted_bytes: 0,
            active_at: now,
            line_since: None,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        // Writability is watched only while a write is blocked: otherwise each read of the client would wake us.
        registry.register(&mut self.stream, token, Interest::READABLE)
    }

    /// Notes what the poll has found.
    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable();
        self.hung_up |= event.is_read_closed();
        if event.is_writable() || event.is_write_closed() {
            self.blocked = false;
        }
    }

    /// Takes no more, says why, and closes once that is sent.
    pub(super) fn turn_away(&mut self, error: &WireError) {
        self.intake = Intake::Shut;
        self.lines.clear();
        self.replies.answer_here(|out| write_error(out, "null", error));
    }

    /// Takes the executor's answer to the oldest request that it has.
    pub(super) fn answer(&mut self, exchange: &Exchange, outcome: &Outcome) {
        self.replies.answer_first(|out, id| exchange.write_outcome(out, id, outcome));
    }

    /// Takes lines, reads once, sends what is ready.
    pub(super) fn serve(&mut self, exchange: &mut Exchange, now: Instant) -> Turn {
        if let Intake::Lingering { until, bytes } = self.intake {
            return self.discard(until, bytes);
        }
        let mut lines_left = self.take_lines(exchange, now, TURN_LINES_MAX);
        if self.may_take(exchange) && self.intake == Intake::Open && self.readable {
            self.read(now);
            lines_left = self.take_lines(exchange, now, lines_left);
        }
        if exchange.surroundings.draining && self.intake == Intake::Open {
            self.end_intake();
            self.take_lines(exchange, now, lines_left);
        }
        self.send(now);
        exchange.recount(self.counted_bytes, self.replies.held_bytes());
        self.counted_bytes = self.replies.held_bytes();
        self.after_turn(exchange, now)
    }

    fn after_turn(&mut self, exchange: &Exchange, now: Instant) -> Turn {
        let settled = self.replies.is_settled();
        match self.intake {
            Intake::Open if self.may_take(exchange) && (self.readable || self.lines.may_hold_whole()) => Turn::Again,
            Intake::Ended if !self.lines.is_empty() && self.may_take(exchange) => Turn::Again,
            Intake::Ended if self.lines.is_empty() && settled => Turn::Close(Closing::Finished),
            Intake::Shut if settled => {
                // Not an error worth telling: the client may be gone, which the next read will show.
                self.stream.shutdown(Shutdown::Write).ok();
                self.intake = Intake::Lingering { until: now + LINGER, bytes: 0 };
                self.readable = true;
                Turn::Again
            }
            Intake::Open | Intake::Ended | Intake::Shut | Intake::Lingering { .. } => Turn::Wait,
        }
    }

    /// Whether it is within its limits.
    fn may_take(&self, exchange: &Exchange) -> bool {
        self.replies.in_flight() < exchange.options.in_flight_max
            && exchange.has_room_for_answers(self.replies.held_bytes())
    }

    /// Takes whole lines while limits allow; gives how many more it may take in this turn.
    fn take_lines(&mut self, exchange: &mut Exchange, now: Instant, lines_max: usize) -> usize {
        let mut lines_left = lines_max;
        while lines_left > 0 && self.intake.takes_lines() && self.may_take(exchange) {
            match self.lines.next_line() {
                NextLine::Whole(line) => {
                    self.line_since = None;
                    lines_left -= 1;
                    take_line(line, self.id, self.permitted, &mut self.replies, exchange);
                }
                NextLine::TooLong => {
                    let most = exchange.options.line_bytes_max;
                    let message = format!("a line has at most {most} bytes before its end; the connection closes");
                    self.turn_away(&WireError::new(ErrorKind::LineTooLong, message));
                    exchange.counters.refused += 1;
                }
                NextLine::Part if self.intake == Intake::Ended => {
                    tracing::debug!(connection = self.id.0, "the last line has no end and is not executed");
                    exchange.counters.cut_lines += 1;
                    self.lines.clear();
                    break;
                }
                NextLine::Part => {
                    self.line_since.get_or_insert(now);
                    break;
                }
                NextLine::Nothing => break,
            }
        }
        lines_left
    }

    fn read(&mut self, now: Instant) {
        match self.lines.fill(&mut self.stream) {
            Ok(Filled::End) => self.end_intake(),
            Ok(Filled::ToTheBrim) => self.active_at = now,
            Ok(Filled::Partly) => {
                self.active_at = now;
                // Less than there was room for: the socket is empty, and new bytes make a new edge. Only the end of
                // the stream has none of its own if it was there before.
                self.readable = self.hung_up;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::debug!(connection = self.id.0, %error, "reading failed");
                self.end_intake();
                self.replies.abandon();
            }
        }
    }

    fn end_intake(&mut self) {
        self.readable = false;
        self.line_since = None;
        self.intake = Intake::Ended;
    }

    /// Sends what is ready. A client that has closed its side is not answered, but what it sent is executed.
    fn send(&mut self, now: Instant) {
        if self.blocked || !self.replies.has_unsent() {
            return;
        }
        match self.replies.send(&mut self.stream) {
            Ok(sent) => {
                if sent.bytes > 0 || sent.blocked {
                    self.active_at = now;
                }
                self.blocked = sent.blocked;
            }
            Err(error) => {
                tracing::debug!(connection = self.id.0, %error, "sending failed");
                self.replies.abandon();
            }
        }
    }

    fn discard(&mut self, until: Instant, bytes: usize) -> Turn {
        self.lines.clear();
        match self.lines.fill(&mut self.stream) {
            Ok(Filled::End) => Turn::Close(Closing::Finished),
            Ok(filled) => {
                let bytes = bytes + self.lines.held_bytes();
                self.intake = Intake::Lingering { until, bytes };
                match filled {
                    _ if bytes > LINGER_BYTES_MAX => Turn::Close(Closing::Gone),
                    Filled::Partly if !self.hung_up => Turn::Wait,
                    Filled::Partly | Filled::ToTheBrim | Filled::End => Turn::Again,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Turn::Wait,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Turn::Again,
            Err(_) => Turn::Close(Closing::Gone),
        }
    }

    /// Watches for room to write while there is none, and only then.
    pub(super) fn update_interest(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.blocked == self.watches_writes {
            return Ok(());
        }
        self.watches_writes = self.blocked;
        let interest = if self.blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.stream, token, interest)
    }

    /// Looks at the clock; also gives memory back that a burst has left behind.
    pub(super) fn sweep(&mut self, exchange: &mut Exchange, now: Instant) -> Turn {
        let quiet = now.saturating_duration_since(self.active_at);
        let options = &exchange.options;
        let closing = if let Intake::Lingering { until, .. } = self.intake {
            (now >= until).then_some(Closing::Finished)
        } else if self.replies.has_unsent() {
            (quiet >= options.write_ms_max).then_some(Closing::SlowReader)
        } else if self.replies.in_flight() == 0 {
            (quiet >= options.idle_ms_max).then_some(Closing::Idle)
        } else {
            None
        };
        self.lines.shrink();
        self.replies.shrink();
        match closing {
            Some(closing) => {
                exchange.counters.timed_out += 1;
                Turn::Close(closing)
            }
            None if self.half_line_is_overdue(exchange, now) => {
                tracing::debug!(connection = self.id.0, "the end of a line did not come in time");
                exchange.counters.timed_out += 1;
                self.end_intake();
                Turn::Again
            }
            None => Turn::Wait,
        }
    }

    fn half_line_is_overdue(&mut self, exchange: &Exchange, now: Instant) -> bool {
        let Some(since) = self.line_since else { return false };
        if !self.may_take(exchange) {
            // It is we who do not read.
            self.line_since = Some(now);
            return false;
        }
        now.saturating_duration_since(since) >= exchange.options.line_ms_max
    }

    /// What is left behind when it closes.
    pub(super) fn farewell(&mut self, exchange: &mut Exchange, closing: Closing) {
        exchange.recount(self.counted_bytes, 0);
        tracing::debug!(connection = self.id.0, ?closing, unanswered = self.replies.in_flight(), "connection closed");
    }
}

impl Intake {
    const fn takes_lines(self) -> bool {
        matches!(self, Self::Open | Self::Ended)
    }
}

/// Hands a line's command on, or answers why not.
fn take_line(line: &[u8], connection: ConnectionId, permitted: bool, replies: &mut Replies, exchange: &mut Exchange) {
    let denied = || WireError::new(ErrorKind::PermissionDenied, "this user is not among daemon.allowed_uids");
    let (id, error) = match protocol::read(line) {
        Incoming::Call { id, .. } | Incoming::Refused { id, .. } if !permitted => (Some(id), denied()),
        Incoming::Notification(_) | Incoming::Ignored(_) if !permitted => (None, denied()),
        Incoming::Call { id, command } => match exchange.submit(connection, command) {
            Ok(()) => return replies.await_answer(id),
            Err(refusal) => (Some(id), WireError::from(&refusal)),
        },
        Incoming::Notification(command) => match exchange.submit(connection, command) {
            Ok(()) => return replies.await_silently(),
            Err(refusal) => (None, WireError::from(&refusal)),
        },
        Incoming::Refused { id, error } => (Some(id), error),
        Incoming::Ignored(error) => (None, error),
    };
    match id {
        Some(id) => {
            exchange.counters.refused += 1;
            replies.answer_here(|out| write_error(out, id, &error));
        }
        None => {
            exchange.counters.ignored += 1;
            tracing::debug!(connection = connection.0, kind = error.kind.wire().kind, "notification not executed");
        }
    }
}
