//! Who may have how much of the executor's queue.

use std::collections::HashMap;

use crate::contracts::{ConnectionId, Envelope, NotSent, Refusal, RequestClass, RequestSender};

/// A connection with no more than this in flight is in the next batch, and never refused for want of room.
pub(super) const EXPRESS_IN_FLIGHT_MAX: usize = 8;

/// What one connection has with the executor.
#[derive(Debug, Default)]
pub(super) struct Standing {
    commands: usize,
    bytes: usize,
    class: RequestClass,
}

impl Standing {
    /// Whether the executor has nothing of it.
    pub(super) const fn is_idle(&self) -> bool {
        self.commands == 0
    }

    /// Whether it waits among those that have much in flight.
    pub(super) fn is_bulk(&self) -> bool {
        !self.is_idle() && self.class == RequestClass::Bulk
    }
}

/// Admits requests to the queue. As long as it is not full whoever comes first has the room; then each connection has
/// its even part of it, so that those who come late find as much as those who were there before.
#[derive(Debug)]
pub(super) struct Admission {
    sender: RequestSender,
    commands_max: usize,
    bytes_max: usize,
    commands: usize,
    bytes: usize,
    /// Connections that have something with the executor.
    busy: usize,
    /// Connections that are closed while the executor still had something of them.
    departed: HashMap<ConnectionId, Standing>,
}

impl Admission {
    pub(super) fn new(sender: RequestSender, commands_max: usize, bytes_max: usize) -> Self {
        Self { sender, commands_max, bytes_max, commands: 0, bytes: 0, busy: 0, departed: HashMap::new() }
    }

    /// How many express requests there can be at a time.
    pub(super) const fn express_max(connections_max: usize) -> usize {
        connections_max.saturating_mul(EXPRESS_IN_FLIGHT_MAX)
    }

    /// How many bulk requests there can be at a time: a full queue once more for those who come late, and one of each
    /// connection however full it is.
    pub(super) const fn bulk_max(connections_max: usize, commands_max: usize) -> usize {
        commands_max.saturating_mul(2).saturating_add(connections_max)
    }

    /// Requests that wait for the executor.
    pub(super) fn waiting(&self) -> usize {
        self.sender.len()
    }

    /// Hands a request of `line_bytes` to the executor. `is_burst` says that the connection has sent much more after it.
    pub(super) fn admit(
        &mut self,
        standing: &mut Standing,
        envelope: Envelope,
        line_bytes: usize,
        is_burst: bool,
    ) -> Result<(), Refusal> {
        // Back to express only when no bulk request is left that it would overtake.
        if standing.is_idle() {
            standing.class = if is_burst { RequestClass::Bulk } else { RequestClass::Express };
        } else if standing.commands >= EXPRESS_IN_FLIGHT_MAX {
            standing.class = RequestClass::Bulk;
        }
        if !self.has_room(standing, line_bytes) {
            return Err(Refusal::Overloaded);
        }
        self.sender.send(standing.class, envelope).map_err(|not_sent| match not_sent {
            NotSent::Full => Refusal::Overloaded,
            NotSent::Ended => Refusal::ShuttingDown,
        })?;
        self.busy += usize::from(standing.is_idle());
        standing.commands += 1;
        standing.bytes += line_bytes;
        self.commands += 1;
        self.bytes += line_bytes;
        Ok(())
    }

    fn has_room(&self, standing: &Standing, line_bytes: usize) -> bool {
        let busy = self.busy + usize::from(standing.is_idle());
        let fits = |total: usize, own: usize, most: usize| {
            total < most || (own < most / busy.max(1) && total < most.saturating_mul(2))
        };
        let commands =
            standing.class == RequestClass::Express || fits(self.commands, standing.commands, self.commands_max);
        let bytes = fits(self.bytes + line_bytes, standing.bytes + line_bytes, self.bytes_max);
        standing.is_idle() || (commands && bytes)
    }

    /// Notes that the executor has answered a request of `line_bytes`.
    pub(super) fn settle(&mut self, standing: &mut Standing, line_bytes: usize) {
        standing.commands = standing.commands.saturating_sub(1);
        standing.bytes = standing.bytes.saturating_sub(line_bytes);
        self.commands = self.commands.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(line_bytes);
        self.busy = self.busy.saturating_sub(usize::from(standing.is_idle()));
    }

    /// Keeps count of what the executor still has of a connection that is closed.
    pub(super) fn depart(&mut self, connection: ConnectionId, standing: Standing) {
        if !standing.is_idle() {
            self.departed.insert(connection, standing);
        }
    }

    /// Notes that the executor has answered a request of a connection that is closed.
    pub(super) fn settle_departed(&mut self, connection: ConnectionId) {
        let Some(mut standing) = self.departed.remove(&connection) else { return };
        // Which of its requests it was does not matter any more: all of them will be answered.
        let line_bytes =
            if standing.commands == 1 { standing.bytes } else { standing.bytes / standing.commands.max(1) };
        self.settle(&mut standing, line_bytes);
        self.depart(connection, standing);
    }

    /// Tells the executor something that nobody asked for and nobody waits for; false if it must be tried again.
    pub(super) fn tell(&self, envelope: Envelope) -> bool {
        self.sender.send(RequestClass::Express, envelope) != Err(NotSent::Full)
    }
}

#[cfg(test)]
#[path = "admission_test.rs"]
mod tests;
