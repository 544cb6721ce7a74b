//! One client: its lines in, its answers out, in order and within limits.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::jsonrpc::{self, Incoming};
use super::line_buffer::{Filled, LineBuffer, NextLine};
use super::response::write_error;
use super::response_queue::ResponseQueue;
use super::rpc_error::{ErrorKind, RpcError};
use super::shared::Shared;
use crate::contracts::{ConnectionId, Outcome};

/// Lines of one connection that are taken before the others have their turn.
const TURN_LINES_MAX: usize = 256;
/// How long a client that was turned away may take to notice: reason at once would reset the connection under a
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
    read_state: ReadState,
    lines: LineBuffer,
    responses: ResponseQueue,
    /// There may be something to read: edge-triggered, so this must not be forgotten.
    readable: bool,
    /// The client has closed its side, which only a read of 0 bytes confirms.
    hung_up: bool,
    /// The client must read before more can be sent.
    blocked: bool,
    watches_writes: bool,
    /// What `Shared` was told that `responses` hold.
    counted_bytes: usize,
    /// When a byte last went in or out, or began to wait for going out.
    active_at: Instant,
    /// When the line that is not whole yet began.
    line_since: Option<Instant>,
}

/// What is still taken from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
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
pub(super) enum NextAction {
    /// There is more to do at once.
    Again,
    /// Something must happen first.
    Wait,
    /// It is over.
    Close(CloseReason),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
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
            read_state: ReadState::Open,
            lines: LineBuffer::new(line_bytes_max),
            responses: ResponseQueue::default(),
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
    pub(super) fn refuse_over_limit(&mut self, error: &RpcError) {
        self.read_state = ReadState::Shut;
        self.lines.clear();
        self.responses.push_ready(|out| write_error(out, "null", error));
    }

    /// Takes the executor's answer to the oldest request that it has.
    pub(super) fn answer(&mut self, shared: &Shared, outcome: &Outcome) {
        self.responses.answer_first(|out, id| shared.write_outcome(out, id, outcome));
    }

    /// Takes lines, reads once, sends what is ready.
    pub(super) fn serve(&mut self, shared: &mut Shared, now: Instant) -> NextAction {
        if let ReadState::Lingering { until, bytes } = self.read_state {
            return self.discard(until, bytes);
        }
        let mut lines_left = self.take_lines(shared, now, TURN_LINES_MAX);
        if self.may_take(shared) && self.read_state == ReadState::Open && self.readable {
            self.read(now);
            lines_left = self.take_lines(shared, now, lines_left);
        }
        if shared.context.draining && self.read_state == ReadState::Open {
            self.end_intake();
            self.take_lines(shared, now, lines_left);
        }
        self.send(now);
        shared.recount(self.counted_bytes, self.responses.held_bytes());
        self.counted_bytes = self.responses.held_bytes();
        self.after_turn(shared, now)
    }

    fn after_turn(&mut self, shared: &Shared, now: Instant) -> NextAction {
        let settled = self.responses.is_settled();
        match self.read_state {
            ReadState::Open if self.may_take(shared) && (self.readable || self.lines.may_hold_whole()) => {
                NextAction::Again
            }
            ReadState::Ended if !self.lines.is_empty() && self.may_take(shared) => NextAction::Again,
            ReadState::Ended if self.lines.is_empty() && settled => NextAction::Close(CloseReason::Finished),
            ReadState::Shut if settled => {
                // Not an error worth telling: the client may be gone, which the next read will show.
                self.stream.shutdown(Shutdown::Write).ok();
                self.read_state = ReadState::Lingering { until: now + LINGER, bytes: 0 };
                self.readable = true;
                NextAction::Again
            }
            ReadState::Open | ReadState::Ended | ReadState::Shut | ReadState::Lingering { .. } => NextAction::Wait,
        }
    }

    /// Whether it is within its limits.
    fn may_take(&self, shared: &Shared) -> bool {
        self.responses.in_flight() < shared.options.in_flight_max
            && shared.has_room_for_answers(self.responses.held_bytes())
    }

    /// Takes whole lines while limits allow; gives how many more it may take in this turn.
    fn take_lines(&mut self, shared: &mut Shared, now: Instant, lines_max: usize) -> usize {
        let mut lines_left = lines_max;
        while lines_left > 0 && self.read_state.takes_lines() && self.may_take(shared) {
            match self.lines.next_line() {
                NextLine::Whole(line) => {
                    self.line_since = None;
                    lines_left -= 1;
                    take_line(line, self.id, self.permitted, &mut self.responses, shared);
                }
                NextLine::TooLong => {
                    let most = shared.options.line_bytes_max;
                    let message = format!("a line has at most {most} bytes before its end; the connection closes");
                    self.refuse_over_limit(&RpcError::new(ErrorKind::LineTooLong, message));
                    shared.counters.refused += 1;
                }
                NextLine::Part if self.read_state == ReadState::Ended => {
                    tracing::debug!(connection = self.id.0, "the last line has no end and is not executed");
                    shared.counters.cut_lines += 1;
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
                self.responses.discard();
            }
        }
    }

    fn end_intake(&mut self) {
        self.readable = false;
        self.line_since = None;
        self.read_state = ReadState::Ended;
    }

    /// Sends what is ready. A client that has closed its side is not answered, but what it sent is executed.
    fn send(&mut self, now: Instant) {
        if self.blocked || !self.responses.has_unsent() {
            return;
        }
        match self.responses.send(&mut self.stream) {
            Ok(sent) => {
                if sent.bytes > 0 || sent.blocked {
                    self.active_at = now;
                }
                self.blocked = sent.blocked;
            }
            Err(error) => {
                tracing::debug!(connection = self.id.0, %error, "sending failed");
                self.responses.discard();
            }
        }
    }

    fn discard(&mut self, until: Instant, bytes: usize) -> NextAction {
        self.lines.clear();
        match self.lines.fill(&mut self.stream) {
            Ok(Filled::End) => NextAction::Close(CloseReason::Finished),
            Ok(filled) => {
                let bytes = bytes + self.lines.held_bytes();
                self.read_state = ReadState::Lingering { until, bytes };
                match filled {
                    _ if bytes > LINGER_BYTES_MAX => NextAction::Close(CloseReason::Gone),
                    Filled::Partly if !self.hung_up => NextAction::Wait,
                    Filled::Partly | Filled::ToTheBrim | Filled::End => NextAction::Again,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => NextAction::Wait,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => NextAction::Again,
            Err(_) => NextAction::Close(CloseReason::Gone),
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
    pub(super) fn sweep(&mut self, shared: &mut Shared, now: Instant) -> NextAction {
        let quiet = now.saturating_duration_since(self.active_at);
        let options = &shared.options;
        let reason = if let ReadState::Lingering { until, .. } = self.read_state {
            (now >= until).then_some(CloseReason::Finished)
        } else if self.responses.has_unsent() {
            (quiet >= options.write_ms_max).then_some(CloseReason::SlowReader)
        } else if self.responses.in_flight() == 0 {
            (quiet >= options.idle_ms_max).then_some(CloseReason::Idle)
        } else {
            None
        };
        self.lines.shrink();
        self.responses.shrink();
        match reason {
            Some(reason) => {
                shared.counters.timed_out += 1;
                NextAction::Close(reason)
            }
            None if self.half_line_is_overdue(shared, now) => {
                tracing::debug!(connection = self.id.0, "the end of a line did not come in time");
                shared.counters.timed_out += 1;
                self.end_intake();
                NextAction::Again
            }
            None => NextAction::Wait,
        }
    }

    fn half_line_is_overdue(&mut self, shared: &Shared, now: Instant) -> bool {
        let Some(since) = self.line_since else { return false };
        if !self.may_take(shared) {
            // It is we who do not read.
            self.line_since = Some(now);
            return false;
        }
        now.saturating_duration_since(since) >= shared.options.line_ms_max
    }

    /// What is left behind when it closes.
    pub(super) fn on_close(&mut self, shared: &mut Shared, reason: CloseReason) {
        shared.recount(self.counted_bytes, 0);
        tracing::debug!(connection = self.id.0, ?reason, unanswered = self.responses.in_flight(), "connection closed");
    }
}

impl ReadState {
    const fn takes_lines(self) -> bool {
        matches!(self, Self::Open | Self::Ended)
    }
}

/// Hands a line's command on, or answers why not.
fn take_line(
    line: &[u8],
    connection: ConnectionId,
    permitted: bool,
    responses: &mut ResponseQueue,
    shared: &mut Shared,
) {
    let denied = || RpcError::new(ErrorKind::PermissionDenied, "this user is not among daemon.allowed_uids");
    let (id, error) = match jsonrpc::read(line) {
        Incoming::Call { id, .. } | Incoming::Refused { id, .. } if !permitted => (Some(id), denied()),
        Incoming::Notification(_) | Incoming::Ignored(_) if !permitted => (None, denied()),
        Incoming::Call { id, request } => match shared.submit(connection, request) {
            Ok(()) => return responses.expect(id),
            Err(refusal) => (Some(id), RpcError::from(&refusal)),
        },
        Incoming::Notification(request) => match shared.submit(connection, request) {
            Ok(()) => return responses.expect_none(),
            Err(refusal) => (None, RpcError::from(&refusal)),
        },
        Incoming::Refused { id, error } => (Some(id), error),
        Incoming::Ignored(error) => (None, error),
    };
    match id {
        Some(id) => {
            shared.counters.refused += 1;
            responses.push_ready(|out| write_error(out, id, &error));
        }
        None => {
            shared.counters.ignored += 1;
            tracing::debug!(connection = connection.0, kind = error.kind.wire().kind, "notification not executed");
        }
    }
}
