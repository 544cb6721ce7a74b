//! One thread, all sockets: waits until something is ready, gives every connection its turn, waits again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use mio::{Events, Interest, Poll, Token};

use super::accept_policy::Acceptor;
use super::connection::{CloseReason, NextAction};
use super::connections::{Connections, Place};
use super::listener::Listener;
use super::shared::Shared;
use super::signals::Signals;
use crate::contracts::{Answer, ConnectionId};

pub(super) const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

const EVENTS_MAX: usize = 1024;
/// How long connections that have more to do than fits into a turn go on before the poll is asked for others.
const SLICE: Duration = Duration::from_millis(1);
/// Time-outs are looked at this often, so that they pass at most an eighth late; also what keeps the loop turning.
const SWEEP_MIN: Duration = Duration::from_millis(5);
const SWEEP_MAX: Duration = Duration::from_millis(500);

/// The server's thread.
#[derive(Debug)]
pub(super) struct EventLoop {
    pub(super) poll: Poll,
    pub(super) acceptor: Acceptor,
    pub(super) connections: Connections,
    pub(super) shared: Shared,
    answers: Receiver<Vec<Answer>>,
    signals: Arc<Signals>,
    /// Connections for which something has happened, and which have little in flight.
    ready: VecDeque<ConnectionId>,
    /// Those that have much in flight, or that had their turn and have more to do.
    unfinished: VecDeque<ConnectionId>,
    /// Connections that got answers which are not sent.
    answered: Vec<ConnectionId>,
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
            acceptor: Acceptor::new(listener, options),
            connections: Connections::default(),
            shared,
            answers,
            signals,
            ready: VecDeque::new(),
            unfinished: VecDeque::new(),
            answered: Vec::new(),
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
            if self.take_answers(now) == AnswersChannel::Closed {
                // The process is about to end, and its last batch is neither durable nor answered. Whatever were said now
                // would leave that batch's requests out: the close says it all.
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
        let unfinished_connections = self.connections.len();
        tracing::info!(unfinished_connections, "the server has stopped");
        Ok(())
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let busy = !self.ready.is_empty() || !self.unfinished.is_empty() || self.acceptor.is_ready();
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
                LISTENER => self.acceptor.note(),
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

    pub(super) fn enqueue(&mut self, id: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(id)
            && !std::mem::replace(&mut entry.queued, true)
        {
            let queue = if entry.connection.is_bulk() { &mut self.unfinished } else { &mut self.ready };
            queue.push_back(id);
        }
    }

    /// Takes all answers that are there, and sends them: who was answered must not wait for everybody else's turn.
    fn take_answers(&mut self, now: Instant) -> AnswersChannel {
        let channel = loop {
            match self.answers.try_recv() {
                Ok(batch) => batch.iter().for_each(|answer| self.deliver(answer)),
                Err(TryRecvError::Empty) => break AnswersChannel::Open,
                Err(TryRecvError::Disconnected) => break AnswersChannel::Closed,
            }
        };
        if self.signals.halted.load(Ordering::SeqCst) {
            return AnswersChannel::Closed;
        }
        let mut answered = std::mem::take(&mut self.answered);
        for id in answered.drain(..) {
            let Some(entry) = self.connections.get_mut(id) else { continue };
            entry.answered = false;
            entry.connection.flush(&mut self.shared, now);
            self.enqueue(id);
        }
        self.answered = answered;
        channel
    }

    /// Puts an answer into its connection's buffer.
    fn deliver(&mut self, answer: &Answer) {
        match self.connections.get_mut(answer.connection) {
            Some(entry) => {
                entry.connection.answer(&mut self.shared, answer);
                if !std::mem::replace(&mut entry.answered, true) {
                    self.answered.push(answer.connection);
                }
            }
            None => {
                self.shared.counters.undeliverable += 1;
                self.shared.admission.settle_departed(answer.connection);
            }
        }
    }

    /// One turn for each connection with little in flight for which something has happened; then turns for the others, for
    /// a while and at least one: who sends much waits for those who send little, and these for one turn at most.
    fn run_ready(&mut self, now: Instant) {
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { break };
            self.give_turn(id, now);
        }
        for _ in 0..self.unfinished.len() {
            let Some(id) = self.unfinished.pop_front() else { break };
            self.give_turn(id, now);
            if now.elapsed() >= SLICE || !self.answers.is_empty() {
                break;
            }
        }
        if self.shared.take_room_came_back() {
            self.connections.ids().into_iter().for_each(|id| self.enqueue(id));
        }
    }

    fn give_turn(&mut self, id: ConnectionId, now: Instant) {
        let Some(entry) = self.connections.get_mut(id) else { return };
        entry.queued = false;
        let next = entry.connection.serve(&mut self.shared, now);
        if let Err(error) = entry.connection.update_interest(self.poll.registry(), token_of(id)) {
            tracing::warn!(%error, "a connection cannot be watched");
            self.close(id, CloseReason::Gone);
            return;
        }
        self.apply(id, next);
    }

    fn apply(&mut self, id: ConnectionId, next: NextAction) {
        match next {
            NextAction::Again => {
                if let Some(entry) = self.connections.get_mut(id)
                    && !std::mem::replace(&mut entry.queued, true)
                {
                    self.unfinished.push_back(id);
                }
            }
            NextAction::Wait => {}
            NextAction::HandOver => self.hand_over(id),
            NextAction::Close(reason) => self.close(id, reason),
        }
    }

    pub(super) fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some(mut entry) = self.connections.remove(id) else { return };
        entry.connection.on_close(&mut self.shared, reason);
        self.acceptor.release(entry.place, &entry.connection.peer.caller, &mut self.shared.context);
        self.promote();
    }

    /// Makes connections that are kept for operators ordinary ones, as far as there are places.
    fn promote(&mut self) {
        while let Some(id) = self.acceptor.promote(&self.shared.context) {
            if let Some(entry) = self.connections.get_mut(id).filter(|entry| entry.place == Place::Reserved) {
                entry.place = Place::Ordinary;
                entry.connection.peer.is_reserved = false;
                self.acceptor.promoted();
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.sweep_at = now + self.sweep_every;
        self.acceptor.resume();
        self.promote();
        self.shared.release_pins();
        for id in self.connections.ids() {
            let Some(entry) = self.connections.get_mut(id) else { continue };
            let next = entry.connection.sweep(&mut self.shared, now);
            if let Err(error) = entry.connection.update_interest(self.poll.registry(), token_of(id)) {
                tracing::warn!(%error, "a connection cannot be watched");
                self.close(id, CloseReason::Gone);
                continue;
            }
            self.apply(id, next);
        }
    }

    /// No new clients and no new commands from here on.
    fn begin_drain(&mut self, now: Instant) {
        tracing::info!(connections = self.shared.context.connections, "the server is draining");
        self.drain_until = Some(now + self.shared.options.shutdown_ms_max);
        self.shared.context.draining = true;
        self.acceptor.stop();
        self.connections.ids().into_iter().for_each(|id| self.enqueue(id));
    }
}

/// Whether answers can still come, and be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswersChannel {
    Open,
    Closed,
}

pub(super) const fn token_of(id: ConnectionId) -> Token {
    // Both are 64 bits wide: see the assertion below.
    #[expect(clippy::cast_possible_truncation, reason = "checked at compile time")]
    Token(id.0 as usize)
}

const fn id_of(token: Token) -> ConnectionId {
    ConnectionId(token.0 as u64)
}

const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "an epoll token holds a connection's id");
