//! Which connections are taken, and as what.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use mio::net::UnixStream;

use super::ServerOptions;
use super::access::Caller;
use super::connections::Place;
use super::listener::Listener;
use super::log_throttle::Throttle;
use super::rpc_error::{ErrorKind, RpcError};
use super::status_context::StatusContext;
use crate::contracts::ConnectionId;

/// Connections that are refused and told so at a time; what comes beyond these is closed without a word.
pub(super) const REFUSED_MAX: usize = 64;

/// Connections by user, of those that are counted by user.
type ByUser = HashMap<u32, usize>;

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
    /// Connections of one user who may only do what observers do, or attach.
    outsider_max: usize,
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
            outsider_max: options.outsider_connections_max,
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

    pub(super) fn next(&mut self) -> Option<UnixStream> {
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
    pub(super) fn place_for(
        &mut self,
        caller: &Caller,
        context: &StatusContext,
        now: Instant,
    ) -> Result<Place, RpcError> {
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
        let most = self.outsider_max;
        if is_outsider && caller.uid.is_some_and(|uid| self.outsiders.get(&uid).is_some_and(|n| *n >= most)) {
            let message = format!("this user has {most} connections already; try again later");
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

    /// Whether one more can be refused with a word.
    pub(super) const fn can_refuse(&self) -> bool {
        self.refused < REFUSED_MAX
    }

    pub(super) fn count(&mut self, place: Place, id: ConnectionId, caller: &Caller, context: &mut StatusContext) {
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
