//! How a connection's time runs out, and how it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use mio::Registry;

use super::{Attaching, CloseReason, Connection, NextAction, ReadState};
use crate::contracts::ConnectionId;
use crate::server::shared::Shared;

/// A connection that has left the server.
pub(in crate::server) struct HandedOver {
    pub(in crate::server) attaching: Attaching,
    pub(in crate::server) uid: Option<u32>,
    pub(in crate::server) stream: std::os::unix::net::UnixStream,
    /// What was read after the request's line.
    pub(in crate::server) received: Vec<u8>,
}

impl Connection {
    /// Looks at the clock; also gives memory back that a burst has left behind.
    pub(in crate::server) fn sweep(&mut self, shared: &mut Shared, now: Instant) -> NextAction {
        if self.blocked {
            // The poll tells of room only when most of it is free: a client that reads slowly is seen by trying.
            self.blocked = false;
            self.flush(shared, now);
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        let options = &shared.options;
        let reason = if let ReadState::Lingering { until, .. } = self.read_state {
            (now >= until).then_some(CloseReason::Finished)
        } else if self.responses.has_unsent() {
            (since(self.unsent_since) >= options.write_ms_max).then_some(CloseReason::SlowReader)
        } else if self.responses.in_flight() == 0 {
            (since(self.active_at) >= options.idle_ms_max).then_some(CloseReason::Idle)
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
                tracing::debug!(connection = self.peer.id.0, "the end of a line did not come in time");
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

    /// Settles its accounts when it closes.
    pub(in crate::server) fn on_close(&mut self, shared: &mut Shared, reason: CloseReason) {
        shared.recount(self.counted_bytes, 0);
        let id: ConnectionId = self.peer.id;
        shared.admission.depart(id, std::mem::take(&mut self.peer.standing));
        if self.peer.has_pins {
            shared.release_pins_of(id);
        }
        tracing::debug!(connection = id.0, ?reason, unanswered = self.responses.in_flight(), "connection closed");
    }

    /// Leaves the poll and the server.
    pub(in crate::server) fn hand_over(mut self, registry: &Registry, shared: &mut Shared) -> io::Result<HandedOver> {
        registry.deregister(&mut self.stream)?;
        shared.recount(self.counted_bytes, 0);
        if self.peer.has_pins {
            shared.release_pins_of(self.peer.id);
        }
        let attaching = self.attaching.ok_or_else(|| io::Error::other("the connection does not attach to a sink"))?;
        let received = self.lines.into_rest();
        Ok(HandedOver { attaching, uid: self.peer.caller.uid, stream: OwnedFd::from(self.stream).into(), received })
    }
}
