//! What all connections share: the way to the executor, the room for answers, and what is counted.

use crossbeam_channel::{Sender, TrySendError};

use super::ServerOptions;
use super::response::{write_changed, write_error, write_found, write_result};
use super::rpc_error::RpcError;
use super::status::{DaemonStatus, StatusContext};
use crate::contracts::{ConnectionId, Envelope, Outcome, Refusal, Request, Ticket};

/// Shared by the connections of one server; one thread, so no locks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ServerOptions,
    pub(super) context: StatusContext,
    pub(super) counters: Counters,
    requests: Sender<Envelope>,
    /// Answer bytes that all connections hold.
    held_bytes: usize,
    /// Whether the half that goes to whoever needs it was used up, and is not any more.
    room_came_back: bool,
}

/// What happened since the start; logged when the server stops.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Connections taken.
    pub(super) accepted: u64,
    /// Connections turned away because there were too many.
    pub(super) over_limit: u64,
    /// Lines handed to the executor.
    pub(super) submitted: u64,
    /// Lines answered with an error without the executor.
    pub(super) refused: u64,
    /// Notifications that could not be executed, and nobody was told.
    pub(super) ignored: u64,
    /// Last lines without an end.
    pub(super) cut_lines: u64,
    /// Answers whose client had gone.
    pub(super) undeliverable: u64,
    /// Connections closed because a time-out passed.
    pub(super) timed_out: u64,
}

impl Shared {
    pub(super) fn new(options: ServerOptions, context: StatusContext, requests: Sender<Envelope>) -> Self {
        Self { options, context, counters: Counters::default(), requests, held_bytes: 0, room_came_back: false }
    }

    /// Hands a command to the executor, without ever waiting.
    pub(super) fn submit(&mut self, connection: ConnectionId, request: Request) -> Result<(), Refusal> {
        if self.context.draining {
            return Err(Refusal::ShuttingDown);
        }
        self.requests.try_send(Envelope { connection, ticket: Ticket(0), uid: 0, request }).map_err(
            |error| match error {
                TrySendError::Full(_) => Refusal::Overloaded,
                TrySendError::Disconnected(_) => Refusal::ShuttingDown,
            },
        )?;
        self.counters.submitted += 1;
        Ok(())
    }

    /// Writes the answer to a command.
    pub(super) fn write_outcome(&self, out: &mut Vec<u8>, id: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Changed { order, lsn, duplicate } => write_changed(out, id, order, *lsn, *duplicate),
            Outcome::Found(order) => write_found(out, id, order),
            Outcome::Status(store) => write_result(out, id, &DaemonStatus::of(store, &self.context)),
            Outcome::Operated(result) => write_result(out, id, result.as_ref()),
            Outcome::Refused(refusal) => write_error(out, id, &RpcError::from(refusal)),
        }
    }

    /// Whether a connection that holds so many answer bytes may ask for more.
    ///
    /// Half of `answers_bytes_max` is divided evenly, so that clients that do not read cannot take everybody's room;
    /// the other half goes to whoever needs it first.
    pub(super) fn has_room_for_answers(&self, held_bytes: usize) -> bool {
        let share = self.first_come_bytes() / self.options.connections_max.max(1);
        held_bytes < self.options.answer_bytes_max && (held_bytes <= share || self.held_bytes < self.first_come_bytes())
    }

    /// Corrects the sum when a connection's part of it has changed.
    pub(super) fn recount(&mut self, before: usize, now: usize) {
        let sum = (self.held_bytes + now).saturating_sub(before);
        self.room_came_back |= self.held_bytes >= self.first_come_bytes() && sum < self.first_come_bytes();
        self.held_bytes = sum;
    }

    /// Whether connections that had to stop for want of room should try again; true once each time.
    pub(super) const fn take_room_came_back(&mut self) -> bool {
        std::mem::replace(&mut self.room_came_back, false)
    }

    const fn first_come_bytes(&self) -> usize {
        self.options.answers_bytes_max / 2
    }
}
