//! One thread, all sockets: waits until something is ready, gives every connection its turn, waits again.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};

use super::connection::{CloseReason, Connection, NextAction};
use super::connections::Connections;
use super::listener::Listener;
use super::rpc_error::{ErrorKind, RpcError};
use super::server::Signals;
use super::shared::Shared;
use crate::contracts::{Answer, ConnectionId};

pub(super) const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

const EVENTS_MAX: usize = 1024;
/// Connections taken before those that are there have their turn.
const TURN_ACCEPTS_MAX: usize = 64;
/// Connections beyond the limit that are told so at a time; what comes beyond these is closed without a word.
const OVER_LIMIT_MAX: usize = 64;
/// Time-outs are looked at this often, so that they pass at most an eighth late; also what keeps the loop turning.
const SWEEP_MIN: Duration = Duration::from_millis(5);
const SWEEP_MAX: Duration = Duration::from_millis(500);

/// The server's thread.
#[derive(Debug)]
pub(super) struct EventLoop {
    poll: Poll,
    listener: Option<Listener>,
    /// Connections may be waiting to be accepted: edge-triggered, so this must not be forgotten.
    acceptable: bool,
    /// Accepting failed for want of something; tried again after a pause or when a connection has closed.
    accept_paused: bool,
    /// It has failed before, and not succeeded since: said once, not twice a second.
    accept_failing: bool,
    connections: Connections,
    over_limit: usize,
    shared: Shared,
    answers: Receiver<Vec<Answer>>,
    signals: Arc<Signals>,
    queue: VecDeque<ConnectionId>,
    sweep_every: Duration,
    sweep_at: Instant,
    drain_until: Option<Instant>,
}

impl EventLoop {
    pub(super) fn new(
        poll: Poll,
        mut listener: Listener,
        shared: Shared,
        answers: Receiver<Vec<Answer>>,
        signals: Arc<Signals>,
    ) -> io::Result<Self> {
        poll.registry().register(&mut listener.socket, LISTENER, Interest::READABLE)?;
        let options = &shared.options;
        let shortest = options.line_ms_max.min(options.idle_ms_max).min(options.write_ms_max);
        let sweep_every = (shortest / 8).clamp(SWEEP_MIN, SWEEP_MAX);
        Ok(Self {
            poll,
            listener: Some(listener),
            acceptable: true,
            accept_paused: false,
            accept_failing: false,
            connections: Connections::default(),
            over_limit: 0,
            shared,
            answers,
            signals,
            queue: VecDeque::new(),
            sweep_every,
            sweep_at: Instant::now() + sweep_every,
            drain_until: None,
        })
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.wait(&mut events)?;
            self.signals.turns.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            self.note(&events);
            if self.drain_until.is_none() && self.signals.draining.load(Ordering::SeqCst) {
                self.begin_drain(now);
            }
            self.accept(now);
            if self.take_answers() == AnswersChannel::Closed {
                // Its last batch is neither durable nor answered, and the process is about to end. Whatever were said
                // now would leave that batch's requests out: the close says it all.
                break;
            }
            if self.signals.halted.load(Ordering::SeqCst) {
                break;
            }
            self.run_ready(now);
            if now >= self.sweep_at {
                self.sweep(now);
            }
            if self.drain_until.is_some_and(|until| now >= until || self.connections.len() == 0) {
                break;
            }
        }
        let Shared { counters, .. } = &self.shared;
        tracing::info!(?counters, unfinished_connections = self.connections.len(), "the server has stopped");
        Ok(())
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let busy = !self.queue.is_empty() || (self.acceptable && !self.accept_paused && self.listener.is_some());
        let wake_at = self.drain_until.map_or(self.sweep_at, |until| until.min(self.sweep_at));
        // The pair of this is in `ServerHandle::answers_ready`.
        self.signals.awake.store(false, Ordering::SeqCst);
        let timeout = if busy || !self.answers.is_empty() {
            Duration::ZERO
        } else {
            wake_at.saturating_duration_since(Instant::now())
        };
        let polled = self.poll.poll(events, Some(timeout));
        self.signals.awake.store(true, Ordering::SeqCst);
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKER => {}
                LISTENER => self.acceptable = true,
                token => {
                    let id = id_of(token);
                    if let Some(entry) = self.connections.get_mut(id) {
                        entry.connection.note(event);
                        self.enqueue(id);
                    }
                }
            }
        }
    }

    fn enqueue(&mut self, id: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(id)
            && !std::mem::replace(&mut entry.queued, true)
        {
            self.queue.push_back(id);
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..TURN_ACCEPTS_MAX {
            let Some(listener) = self.listener.as_ref().filter(|_| self.acceptable && !self.accept_paused) else {
                return;
            };
            match listener.socket.accept() {
                Ok((stream, _)) => {
                    self.accept_failing = false;
                    self.admit(stream, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.acceptable = false,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                Err(error) => {
                    // Out of descriptors or memory, most likely: trying again at once would only spin.
                    if !std::mem::replace(&mut self.accept_failing, true) {
                        tracing::warn!(%error, connections = self.connections.len(), "accepting fails; trying again");
                    }
                    self.accept_paused = true;
                }
            }
        }
    }

    fn admit(&mut self, stream: UnixStream, now: Instant) {
        let options = &self.shared.options;
        let too_many = self.shared.context.connections >= options.connections_max;
        if too_many {
            self.shared.counters.over_limit += 1;
            if self.over_limit >= OVER_LIMIT_MAX {
                return;
            }
        }
        let permitted = is_permitted(&stream, &options.allowed_uids);
        let line_bytes_max = options.line_bytes_max;
        let connect = |id| Connection::new(id, stream, permitted, line_bytes_max, now);
        let Some(id) = self.connections.insert(connect, too_many) else { return };
        let Some(entry) = self.connections.get_mut(id) else { return };
        if let Err(error) = entry.connection.register(self.poll.registry(), token_of(id)) {
            tracing::warn!(%error, "a connection cannot be watched");
            self.connections.remove(id);
            return;
        }
        if too_many {
            let message = format!("there are {} connections already; try again later", options.connections_max);
            entry.connection.refuse_over_limit(&RpcError::new(ErrorKind::Overloaded, message));
            self.over_limit += 1;
        } else {
            self.shared.counters.accepted += 1;
            self.shared.context.connections += 1;
        }
        self.enqueue(id);
    }

    fn take_answers(&mut self) -> AnswersChannel {
        loop {
            match self.answers.try_recv() {
                Ok(batch) => batch.iter().for_each(|answer| self.deliver(answer)),
                Err(TryRecvError::Empty) => return AnswersChannel::Open,
                Err(TryRecvError::Disconnected) => return AnswersChannel::Closed,
            }
        }
    }

    /// Puts an answer into its connection's buffer; it is sent at the connection's turn, with all others of the batch.
    fn deliver(&mut self, answer: &Answer) {
        match self.connections.get_mut(answer.connection) {
            Some(entry) => {
                entry.connection.answer(&self.shared, &answer.outcome);
                self.enqueue(answer.connection);
            }
            None => self.shared.counters.undeliverable += 1,
        }
    }

    /// One turn for each connection that has something to do; who has more stands in line again.
    fn run_ready(&mut self, now: Instant) {
        for _ in 0..self.queue.len() {
            let Some(id) = self.queue.pop_front() else { return };
            let Some(entry) = self.connections.get_mut(id) else { continue };
            entry.queued = false;
            let turn = entry.connection.serve(&mut self.shared, now);
            if let Err(error) = entry.connection.update_interest(self.poll.registry(), token_of(id)) {
                tracing::warn!(%error, "a connection cannot be watched");
                self.close(id, CloseReason::Gone);
                continue;
            }
            self.apply(id, turn);
        }
        if self.shared.take_room_came_back() {
            self.connections.ids().into_iter().for_each(|id| self.enqueue(id));
        }
    }

    fn apply(&mut self, id: ConnectionId, turn: NextAction) {
        match turn {
            NextAction::Again => self.enqueue(id),
            NextAction::Wait => {}
            NextAction::Close(reason) => self.close(id, reason),
        }
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some(mut entry) = self.connections.remove(id) else { return };
        entry.connection.on_close(&mut self.shared, reason);
        if entry.over_limit {
            self.over_limit -= 1;
        } else {
            self.shared.context.connections -= 1;
        }
        self.accept_paused = false;
    }

    fn sweep(&mut self, now: Instant) {
        self.sweep_at = now + self.sweep_every;
        self.accept_paused = false;
        for id in self.connections.ids() {
            let Some(entry) = self.connections.get_mut(id) else { continue };
            let turn = entry.connection.sweep(&mut self.shared, now);
            self.apply(id, turn);
        }
    }

    /// No new clients and no new commands from here on.
    fn begin_drain(&mut self, now: Instant) {
        tracing::info!(connections = self.shared.context.connections, "the server is draining");
        self.drain_until = Some(now + self.shared.options.shutdown_ms_max);
        self.shared.context.draining = true;
        self.listener = None;
        self.connections.ids().into_iter().for_each(|id| self.enqueue(id));
    }
}

/// Whether answers can still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswersChannel {
    Open,
    Closed,
}

/// Whether the user at the other end may ask for something. By user alone: process ids are used again.
fn is_permitted(stream: &UnixStream, allowed_uids: &[u32]) -> bool {
    match rustix::net::sockopt::socket_peercred(stream.as_fd()) {
        Ok(peer) => {
            let (uid, pid) = (peer.uid.as_raw(), peer.pid.as_raw_nonzero());
            let permitted = allowed_uids.is_empty() || allowed_uids.contains(&uid);
            if permitted {
                tracing::debug!(uid, pid, "client connected");
            } else {
                tracing::warn!(uid, pid, "client connected that is not among daemon.allowed_uids");
            }
            permitted
        }
        Err(error) => {
            tracing::warn!(%error, "a client's user cannot be told");
            allowed_uids.is_empty()
        }
    }
}

const fn token_of(id: ConnectionId) -> Token {
    // Both are 64 bits wide: see the assertion below.
    #[expect(clippy::cast_possible_truncation, reason = "checked at compile time")]
    Token(id.0 as usize)
}

const fn id_of(token: Token) -> ConnectionId {
    ConnectionId(token.0 as u64)
}

const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "an epoll token holds a connection's id");
