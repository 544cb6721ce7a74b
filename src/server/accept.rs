//! Which connections are taken, and as what.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mio::net::UnixStream;

use super::ServerOptions;
use super::access::Caller;
use super::connection::Connection;
use super::connections::Place;
use super::event_loop::{ByUser, EventLoop, token_of};
use super::listener::Listener;
use super::rpc_error::{ErrorKind, RpcError};
use super::status::StatusContext;
use super::throttle::Throttle;
use crate::contracts::{AttachRequest, ConnectionId};

/// Connections taken before those that are there have their turn.
const TURN_ACCEPTS_MAX: usize = 64;
/// Connections that are refused and told so at a time; what comes beyond these is closed without a word.
pub(super) const REFUSED_MAX: usize = 64;
/// Connections of one user who may only do what observers do, or attach. What sinks have of them does not count here.
const OUTSIDER_MAX: usize = 16;

/// The listening socket, and who is counted as what.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: Option<Listener>,
    /// Connections may be waiting to be accepted: edge-triggered, so this must not be forgotten.
    acceptable: bool,
    /// Accepting failed for want of something; tried again after a pause or when a connection has closed.
    paused: bool,
    /// It has failed before, and not succeeded since: said once, not twice a second.
    failing: bool,
    connections_max: usize,
    /// How many of them are for everybody.
    ordinary_max: usize,
    ordinary: usize,
    /// Those that are kept for operators, oldest first; also ids of some that are gone.
    reserved: VecDeque<ConnectionId>,
    reserved_count: usize,
    refused: usize,
    outsiders: ByUser,
    warn_full: Throttle,
    warn_denied: Throttle,
}

impl Acceptor {
    pub(super) fn new(listener: Listener, options: &ServerOptions) -> Self {
        let kept = options.operator_connections.min(options.connections_max.saturating_sub(1));
        Self {
            listener: Some(listener),
            acceptable: true,
            paused: false,
            failing: false,
            connections_max: options.connections_max,
            ordinary_max: options.connections_max.saturating_sub(kept),
            ordinary: 0,
            reserved: VecDeque::new(),
            reserved_count: 0,
            refused: 0,
            outsiders: ByUser::new(),
            warn_full: Throttle::default(),
            warn_denied: Throttle::default(),
        }
    }

    /// Notes that connections may be waiting.
    pub(super) const fn note(&mut self) {
        self.acceptable = true;
    }

    /// Whether connections may be waiting, and may be taken.
    pub(super) const fn is_ready(&self) -> bool {
        self.acceptable && !self.paused && self.listener.is_some()
    }

    /// Tries again after a pause.
    pub(super) const fn resume(&mut self) {
        self.paused = false;
    }

    /// Takes no more, and removes the socket.
    pub(super) fn stop(&mut self) {
        self.listener = None;
    }

    fn next(&mut self) -> Option<UnixStream> {
        let listener = self.listener.as_ref().filter(|_| self.acceptable && !self.paused)?;
        loop {
            match listener.socket.accept() {
                Ok((stream, _)) => {
                    self.failing = false;
                    return Some(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.acceptable = false;
                    return None;
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                Err(error) => {
                    // Out of descriptors or memory, most likely: trying again at once would only spin.
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!(%error, "accepting connections fails; trying again");
                    }
                    self.paused = true;
                    return None;
                }
            }
        }
    }

    /// Which place a caller gets, or why none.
    fn place_for(&mut self, caller: &Caller, context: &StatusContext, now: Instant) -> Result<Place, RpcError> {
        if caller.has_no_rights() {
            if let Some(unsaid) = self.warn_denied.pass(now) {
                tracing::warn!(
                    uid = caller.uid,
                    unsaid,
                    "refused a client whose user is not among daemon.allowed_uids"
                );
            }
            let message = "this user is not among daemon.allowed_uids";
            return Err(RpcError::new(ErrorKind::PermissionDenied, message));
        }
        let is_outsider = !caller.client && !caller.operator;
        if is_outsider && caller.uid.is_some_and(|uid| self.outsiders.get(&uid).is_some_and(|n| *n >= OUTSIDER_MAX)) {
            let message = format!("this user has {OUTSIDER_MAX} connections already; try again later");
            return Err(RpcError::new(ErrorKind::Overloaded, message));
        }
        let attached = context.attached.load(Ordering::Relaxed);
        if self.ordinary + attached < self.ordinary_max {
            return Ok(Place::Ordinary);
        }
        if caller.operator && self.ordinary + attached + self.reserved_count < self.connections_max {
            return Ok(Place::Reserved);
        }
        if let Some(unsaid) = self.warn_full.pass(now) {
            tracing::warn!(connections = context.connections(), unsaid, "all connections are taken; refusing others");
        }
        let message = format!("all {} connections are taken; try again later", self.connections_max);
        Err(RpcError::new(ErrorKind::Overloaded, message))
    }

    fn count(&mut self, place: Place, id: ConnectionId, caller: &Caller, context: &mut StatusContext) {
        match place {
            Place::Ordinary => self.ordinary += 1,
            Place::Reserved => {
                self.reserved.push_back(id);
                self.reserved_count += 1;
            }
            Place::Refused => self.refused += 1,
        }
        if place != Place::Refused {
            context.connections += 1;
            if let Some(uid) = outsider(caller) {
                *self.outsiders.entry(uid).or_default() += 1;
            }
        }
    }

    /// Notes that a connection has left its place.
    pub(super) fn release(&mut self, place: Place, caller: &Caller, context: &mut StatusContext) {
        self.paused = false;
        match place {
            Place::Ordinary => self.ordinary = self.ordinary.saturating_sub(1),
            Place::Reserved => self.reserved_count = self.reserved_count.saturating_sub(1),
            Place::Refused => self.refused = self.refused.saturating_sub(1),
        }
        if place != Place::Refused {
            context.connections = context.connections.saturating_sub(1);
            if let Some(uid) = outsider(caller)
                && let Some(count) = self.outsiders.get_mut(&uid)
            {
                *count -= 1;
                if *count == 0 {
                    self.outsiders.remove(&uid);
                }
            }
        }
    }

    /// A connection that may become an ordinary one, if it is still there.
    pub(super) fn promote(&mut self, context: &StatusContext) -> Option<ConnectionId> {
        let attached = context.attached.load(Ordering::Relaxed);
        if self.ordinary + attached < self.ordinary_max { self.reserved.pop_front() } else { None }
    }

    /// Notes that it has become one.
    pub(super) const fn promoted(&mut self) {
        self.reserved_count -= 1;
        self.ordinary += 1;
    }
}

/// The user whose connections are counted, if they are.
fn outsider(caller: &Caller) -> Option<u32> {
    if caller.client || caller.operator { None } else { caller.uid }
}

impl EventLoop {
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..TURN_ACCEPTS_MAX {
            let Some(stream) = self.acceptor.next() else { return };
            self.admit(stream, now);
        }
    }

    fn admit(&mut self, stream: UnixStream, now: Instant) {
        let options = &self.shared.options;
        let caller = Caller::new(uid_of(&stream), options, &self.shared.targets);
        let refused = self.acceptor.place_for(&caller, &self.shared.context, now);
        if refused.is_err() {
            self.shared.counters.connections_refused += 1;
            if self.acceptor.refused >= REFUSED_MAX {
                return;
            }
        }
        let (place, refusal) = match refused {
            Ok(place) => (place, None),
            Err(error) => (Place::Refused, Some(error)),
        };
        let line_bytes_max = options.line_bytes_max;
        let connect = |id| Connection::new(id, stream, caller, line_bytes_max, now);
        let Some(id) = self.connections.insert(connect, place) else { return };
        let Some(entry) = self.connections.get_mut(id) else { return };
        if let Err(error) = entry.connection.register(self.poll.registry(), token_of(id)) {
            tracing::warn!(%error, "a connection cannot be watched");
            self.connections.remove(id);
            return;
        }
        entry.connection.peer.is_reserved = place == Place::Reserved;
        self.acceptor.count(place, id, &caller, &mut self.shared.context);
        match refusal {
            Some(error) => entry.connection.refuse(&error),
            None => self.shared.counters.accepted += 1,
        }
        self.enqueue(id);
    }

    /// Gives a connection to the sink that it attaches to.
    pub(super) fn hand_over(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.remove(id) else { return };
        let caller = entry.connection.peer.caller;
        self.acceptor.release(entry.place, &caller, &mut self.shared.context);
        let handed = match entry.connection.hand_over(self.poll.registry(), &mut self.shared) {
            Ok(handed) => handed,
            Err(error) => return tracing::warn!(%error, "a connection cannot be handed to its sink"),
        };
        let Some(inbox) = self.shared.targets.get(handed.attaching.target).and_then(|target| target.inbox.as_ref())
        else {
            return;
        };
        let call = handed.attaching.call;
        let request = AttachRequest {
            id: handed.attaching.id,
            uid: handed.uid.unwrap_or(u32::MAX),
            program: call.program.into_boxed_str(),
            in_flight_max: call.in_flight_max,
            take_over: call.take_over,
            stream: handed.stream,
            received: handed.received,
            occupancy: Box::new(Occupancy::new(&self.shared.context.attached)),
        };
        if let Err(request) = inbox.put(request) {
            refuse_attach(&request);
        }
    }
}

/// Tells a program that too many wait for its sink's worker. Its socket has room for a line: all before was taken.
fn refuse_attach(request: &AttachRequest) {
    use std::io::Write as _;
    let error = RpcError::new(ErrorKind::Overloaded, "too many programs attach to this sink at once; try again later");
    let mut line = Vec::new();
    super::response::write_error(&mut line, &request.id, &error);
    // If it is gone already, nobody misses the answer.
    (&request.stream).write_all(&line).ok();
}

/// Counts a connection as long as its sink has it.
struct Occupancy(Arc<AtomicUsize>);

impl Occupancy {
    fn new(attached: &Arc<AtomicUsize>) -> Self {
        attached.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(attached))
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The user at the other end. By user alone: process ids are used again.
fn uid_of(stream: &UnixStream) -> Option<u32> {
    match rustix::net::sockopt::socket_peercred(stream.as_fd()) {
        Ok(peer) => {
            let (uid, pid) = (peer.uid.as_raw(), peer.pid.as_raw_nonzero());
            tracing::debug!(uid, pid, "client connected");
            Some(uid)
        }
        Err(error) => {
            tracing::debug!(%error, "a client's user cannot be told");
            None
        }
    }
}
