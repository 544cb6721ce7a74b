//! What all connections share: the way to the executor, the room for answers, and what is counted.

use std::collections::VecDeque;

use super::ServerOptions;
use super::admission::{Admission, Standing};
use super::call::Limits;
use super::counters::Counters;
use super::methods::Method;
use super::response::{write_changed, write_error, write_found, write_result};
use super::response_queue::Awaited;
use super::rpc_error::{ErrorKind, RpcError};
use super::status_context::{ServerTelemetry, StatusContext};
use crate::contracts::{AttachTarget, ConnectionId, Envelope, OperatorRequest, Outcome, Refusal, Request, Ticket};

/// Shared by the connections of one server; one thread, so no locks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ServerOptions,
    pub(super) limits: Limits,
    pub(super) context: StatusContext,
    pub(super) counters: Counters,
    pub(super) telemetry: ServerTelemetry,
    pub(super) admission: Admission,
    /// The sinks, as far as programs attach to them.
    pub(super) targets: Targets,
    /// Answer bytes that all connections hold.
    held_bytes: usize,
    /// Whether the half that goes to whoever needs it was used up, and is not any more.
    room_came_back: bool,
    /// Closed connections whose pins the executor has not been told to let go.
    pins_left: VecDeque<ConnectionId>,
}

/// The sinks as the server reaches them.
pub(super) struct Targets(pub(super) Vec<AttachTarget>);

impl std::ops::Deref for Targets {
    type Target = [AttachTarget];

    fn deref(&self) -> &[AttachTarget] {
        &self.0
    }
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|target| &target.name)).finish()
    }
}

impl Shared {
    pub(super) fn new(
        options: ServerOptions,
        context: StatusContext,
        telemetry: ServerTelemetry,
        admission: Admission,
        targets: Vec<AttachTarget>,
    ) -> Self {
        let limits = Limits {
            metadata_bytes_max: options.metadata_bytes_max,
            metadata_levels_max: options.metadata_levels_max,
            program_chars_max: options.program_chars_max,
        };
        Self {
            options,
            limits,
            context,
            counters: Counters::default(),
            telemetry,
            admission,
            targets: Targets(targets),
            held_bytes: 0,
            room_came_back: false,
            pins_left: VecDeque::new(),
        }
    }

    /// Hands a request to the executor, without ever waiting.
    pub(super) fn submit(
        &mut self,
        standing: &mut Standing,
        envelope: Envelope,
        line_bytes: usize,
        is_burst: bool,
    ) -> Result<(), Refusal> {
        if self.context.draining {
            return Err(Refusal::ShuttingDown);
        }
        self.admission.admit(standing, envelope, line_bytes, is_burst)?;
        self.counters.submitted += 1;
        Ok(())
    }

    /// Notes that the executor has answered a request of a connection.
    pub(super) fn settle(&mut self, standing: &mut Standing, answered: &Awaited, outcome: &Outcome) {
        self.admission.settle(standing, answered.line_bytes);
        let refused = match outcome {
            Outcome::Refused(refusal) => Some(ErrorKind::of(refusal)),
            Outcome::Changed { .. } | Outcome::Found(_) | Outcome::Operated(_) => None,
        };
        self.note_result(answered.method, refused);
    }

    /// Counts what a request came to.
    pub(super) fn note_result(&mut self, method: Method, refused: Option<ErrorKind>) {
        self.counters.results.add(method, refused);
    }

    /// Counts a line that was refused without the executor.
    pub(super) fn note_refused(&mut self, method: Option<Method>, error: &RpcError) {
        self.counters.refused += 1;
        match method {
            Some(method) => self.note_result(method, Some(error.kind)),
            None => self.counters.results.add_unreadable(error.kind),
        }
    }

    /// Writes the answer to a request that the executor had.
    pub(super) fn write_outcome(&self, out: &mut Vec<u8>, id: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Changed { order, lsn, duplicate } => write_changed(out, id, order, *lsn, *duplicate),
            Outcome::Found(order) => write_found(out, id, order),
            Outcome::Operated(result) => write_result(out, id, result.as_ref()),
            Outcome::Refused(refusal) => write_error(out, id, &RpcError::from(refusal)),
        }
    }

    /// Whether a connection that holds this many answer bytes may ask for more.
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

    /// Lets the pins of a closed connection go, now or when there is room to tell the executor.
    pub(super) fn release_pins_of(&mut self, connection: ConnectionId) {
        self.pins_left.push_back(connection);
        self.release_pins();
    }

    /// Tells the executor of pins that are to be let go.
    pub(super) fn release_pins(&mut self) {
        while let Some(connection) = self.pins_left.front().copied() {
            let request = Request::Operate(Box::new(OperatorRequest::StoreUnpinAll));
            let uid = rustix::process::geteuid().as_raw();
            if !self.admission.tell(Envelope { connection, ticket: Ticket::default(), uid, request }) {
                return;
            }
            self.pins_left.pop_front();
        }
    }
}
