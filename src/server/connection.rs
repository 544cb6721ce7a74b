//! One client: its lines in, its answers out, in order and within limits.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::access::Caller;
use super::admission::{EXPRESS_IN_FLIGHT_MAX, Standing};
use super::dispatch::{Attaching, Dispatched, Line, Peer, dispatch};
use super::line_buffer::{Filled, LineBuffer, NextLine};
use super::response::write_error;
use super::response_queue::ResponseQueue;
use super::rpc_error::{ErrorKind, RpcError};
use super::shared::Shared;
use crate::contracts::{Answer, ConnectionId, Refusal};

/// Lines of one connection that are taken before the others have their turn.
const TURN_LINES_MAX: usize = 256;
/// How long a turn may take, whatever its lines are; at least one is taken.
const TURN_MAX: Duration = Duration::from_micros(250);
/// Reads in one turn: what a client sends in small pieces is not waited for.
const TURN_READS_MAX: usize = 8;
/// How long a client that was refused may take to notice: reason at once would reset the connection under a client that
/// is still sending, and it would never see why.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what it still sends is thrown away meanwhile.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    stream: UnixStream,
    read_state: ReadState,
    lines: LineBuffer,
    responses: ResponseQueue,
    /// Where it goes once everything before is answered.
    attaching: Option<Attaching>,
    /// There may be something to read: edge-triggered, so this must not be forgotten.
    readable: bool,
    /// The client is gone altogether: nobody hears an answer any more.
    gone: bool,
    /// The client must read before more can be sent.
    blocked: bool,
    watches_writes: bool,
    /// What `Shared` was told that `responses` hold.
    counted_bytes: usize,
    /// When a byte last went in or out.
    active_at: Instant,
    /// When a byte last went out, or began to wait for that.
    unsent_since: Instant,
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
    /// Nothing more; it goes to a sink once its answers are sent.
    Attaching,
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
    /// A sink's worker takes it.
    HandOver,
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

/// What a turn may still take.
struct Budget {
    lines: usize,
    until: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { lines: TURN_LINES_MAX, until: Instant::now() + TURN_MAX }
    }

    /// Whether another line may be taken; if so, it counts.
    fn take(&mut self) -> bool {
        let first = self.lines == TURN_LINES_MAX;
        let granted = first || (self.lines > 0 && Instant::now() < self.until);
        self.lines -= usize::from(granted);
        granted
    }
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        stream: UnixStream,
        caller: Caller,
        line_bytes_max: usize,
        now: Instant,
    ) -> Self {
        Self {
            peer: Peer { id, caller, is_reserved: false, standing: Standing::default(), has_pins: false },
            stream,
            read_state: ReadState::Open,
            lines: LineBuffer::new(line_bytes_max),
            responses: ResponseQueue::default(),
            attaching: None,
            readable: true,
            gone: false,
            blocked: false,
            watches_writes: false,
            counted_bytes: 0,
            active_at: now,
            unsent_since: now,
            line_since: None,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        // Writability is watched only while a write is blocked: otherwise each read of the client would wake us.
        registry.register(&mut self.stream, token, Interest::READABLE)
    }

    /// Notes what the poll has found.
    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed();
        if event.is_writable() || event.is_write_closed() {
            self.blocked = false;
        }
        if event.is_write_closed() && !self.gone {
            self.gone = true;
            self.responses.discard();
        }
    }

    /// Whether it has much with the executor.
    pub(super) fn is_bulk(&self) -> bool {
        self.peer.standing.is_bulk()
    }

    /// Takes no more, says why, and closes once that is sent.
    pub(super) fn refuse(&mut self, error: &RpcError) {
        self.read_state = ReadState::Shut;
        self.lines.clear();
        self.responses.push_ready(|out| write_error(out, "null", error));
    }

    /// Takes the executor's answer to a request.
    pub(super) fn answer(&mut self, shared: &mut Shared, answer: &Answer) {
        let answered = self.responses.answer(answer.ticket, |out, id| shared.write_outcome(out, id, &answer.outcome));
        if let Some(answered) = answered {
            shared.settle(&mut self.peer.standing, &answered, &answer.outcome);
        }
        self.responses.release(|out, id, shown| shared.show(out, id, shown));
    }

    /// Takes lines, reads, sends what is ready.
    pub(super) fn serve(&mut self, shared: &mut Shared, now: Instant) -> NextAction {
        if let ReadState::Lingering { until, bytes } = self.read_state {
            return self.discard(until, bytes);
        }
        let mut budget = Budget::new();
        self.take_lines(shared, now, &mut budget);
        if self.may_take(shared) && self.read_state == ReadState::Open && self.readable {
            self.read(now);
            self.take_lines(shared, now, &mut budget);
        }
        if shared.context.draining {
            self.drain(shared, now, &mut budget);
        }
        self.flush(shared, now);
        self.after_turn(shared, now)
    }

    /// Sends what is ready, and corrects what is counted of it.
    pub(super) fn flush(&mut self, shared: &mut Shared, now: Instant) {
        self.send(now);
        shared.recount(self.counted_bytes, self.responses.held_bytes());
        self.counted_bytes = self.responses.held_bytes();
    }

    fn after_turn(&mut self, shared: &Shared, now: Instant) -> NextAction {
        let settled = self.responses.is_settled();
        match self.read_state {
            ReadState::Open if self.may_take(shared) && (self.readable || self.lines.may_hold_whole()) => {
                NextAction::Again
            }
            ReadState::Ended if !self.lines.is_empty() && self.may_take(shared) => NextAction::Again,
            ReadState::Ended if self.lines.is_empty() && settled => NextAction::Close(CloseReason::Finished),
            ReadState::Attaching if self.gone => NextAction::Close(CloseReason::Gone),
            ReadState::Attaching if settled => NextAction::HandOver,
            ReadState::Shut if settled => {
                // Not an error worth telling: the client may be gone, which the next read will show.
                self.stream.shutdown(Shutdown::Write).ok();
                self.read_state = ReadState::Lingering { until: now + LINGER, bytes: 0 };
                self.readable = true;
                NextAction::Again
            }
            ReadState::Open
            | ReadState::Ended
            | ReadState::Attaching
            | ReadState::Shut
            | ReadState::Lingering { .. } => NextAction::Wait,
        }
    }

    /// Whether it is within its limits.
    fn may_take(&self, shared: &Shared) -> bool {
        self.responses.in_flight() < shared.options.in_flight_max
            && shared.has_room_for_answers(self.responses.held_bytes())
    }

    /// Takes whole lines while limits allow.
    fn take_lines(&mut self, shared: &mut Shared, now: Instant, budget: &mut Budget) {
        while self.read_state.takes_lines() && self.may_take(shared) && budget.take() {
            let is_burst = self.peer.standing.is_idle() && self.lines.holds_more_lines_than(EXPRESS_IN_FLIGHT_MAX);
            match self.lines.next_line() {
                NextLine::Whole(text) => {
                    self.line_since = None;
                    let line = Line { text, is_burst };
                    match dispatch(line, &mut self.peer, &mut self.responses, shared) {
                        Dispatched::Taken => {}
                        // It can execute nothing more that anybody could know of, and be told nothing.
                        Dispatched::Refused if self.gone => self.abandon(),
                        Dispatched::Refused => {}
                        Dispatched::Attach(attaching) => {
                            self.attaching = Some(attaching);
                            self.read_state = ReadState::Attaching;
                        }
                    }
                }
                NextLine::TooLong => {
                    let most = shared.options.line_bytes_max;
                    let message = format!("a line has at most {most} bytes before its end; the connection closes");
                    let error = RpcError::new(ErrorKind::LineTooLong, message);
                    self.refuse(&error);
                    shared.note_refused(None, &error);
                }
                NextLine::Part if self.read_state == ReadState::Ended => {
                    tracing::debug!(connection = self.peer.id.0, "the last line has no end and is not executed");
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
    }

    /// Reads until there is nothing left, or no room, or it is the others' turn. A short read proves nothing: only
    /// `WouldBlock` says that the next byte makes a new edge.
    fn read(&mut self, now: Instant) {
        for _ in 0..TURN_READS_MAX {
            match self.lines.fill(&mut self.stream) {
                Ok(Filled::End) => return self.end_intake(),
                Ok(Filled::ToTheBrim) => {
                    self.active_at = now;
                    return;
                }
                Ok(Filled::Partly) => self.active_at = now,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::debug!(connection = self.peer.id.0, %error, "reading failed");
                    self.end_intake();
                    self.responses.discard();
                    return;
                }
            }
        }
    }

    fn end_intake(&mut self) {
        self.readable = false;
        self.line_since = None;
        self.read_state = ReadState::Ended;
    }

    /// Drops what a client that is gone has sent and nobody has looked at.
    fn abandon(&mut self) {
        self.end_intake();
        self.lines.clear();
    }

    /// The daemon stops: what is here is answered, and nothing more is taken.
    fn drain(&mut self, shared: &mut Shared, now: Instant, budget: &mut Budget) {
        match self.read_state {
            ReadState::Open => {
                // Once more, so that a client whose lines were on their way hears of it for each of them.
                self.read(now);
                self.end_intake();
                self.take_lines(shared, now, budget);
            }
            ReadState::Attaching => {
                let error = RpcError::from(&Refusal::ShuttingDown);
                let id = self.attaching.take().map_or_else(|| "null".into(), |attaching| attaching.id);
                self.responses.push_ready(|out| write_error(out, &id, &error));
                self.abandon();
            }
            ReadState::Ended | ReadState::Shut | ReadState::Lingering { .. } => {}
        }
    }

    /// Sends what is ready. A client that has closed its side is not answered, but what it sent is executed.
    fn send(&mut self, now: Instant) {
        if !self.responses.has_unsent() {
            self.unsent_since = now;
            return;
        }
        if self.blocked {
            return;
        }
        match self.responses.send(&mut self.stream) {
            Ok(sent) => {
                if sent.bytes > 0 {
                    self.active_at = now;
                    self.unsent_since = now;
                }
                self.blocked = sent.blocked;
            }
            Err(error) => {
                tracing::debug!(connection = self.peer.id.0, %error, "sending failed");
                self.gone = true;
                self.responses.discard();
            }
        }
    }

    fn discard(&mut self, until: Instant, bytes: usize) -> NextAction {
        self.lines.clear();
        match self.lines.fill(&mut self.stream) {
            Ok(Filled::End) => NextAction::Close(CloseReason::Finished),
            Ok(Filled::Partly | Filled::ToTheBrim) => {
                let bytes = bytes + self.lines.held_bytes();
                self.read_state = ReadState::Lingering { until, bytes };
                if bytes > LINGER_BYTES_MAX { NextAction::Close(CloseReason::Gone) } else { NextAction::Again }
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
}

impl ReadState {
    const fn takes_lines(self) -> bool {
        matches!(self, Self::Open | Self::Ended)
    }
}

#[path = "connection_end.rs"]
mod end;
