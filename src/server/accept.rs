//! New connections are taken.

use std::os::fd::AsFd;
use std::time::Instant;

use mio::net::UnixStream;

use super::access::Caller;
use super::connection::Connection;
use super::connections::Place;
use super::event_loop::{EventLoop, token_of};

/// Connections taken before those that are there have their turn.
const TURN_ACCEPTS_MAX: usize = 64;

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
            if !self.acceptor.can_refuse() {
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
