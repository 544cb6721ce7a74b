//! Clients: they place, complete, cancel, ask, repeat themselves, and send again what was not answered.

use std::collections::VecDeque;

use orderd::contracts::{Command, ConnectionId, Envelope, Request, Ticket};
use orderd::domain::{CancelReason, Cents, CommandId, CustomerId, OrderId};
use uuid::Uuid;

use crate::model::Model;
use crate::rng::Rng;

/// All clients.
#[derive(Debug)]
pub struct Clients {
    rng: Rng,
    with_id: u64,
    only_again: bool,
    made: u64,
    /// Commands with an id that were answered with a result, to be repeated now and then.
    done: Vec<Request>,
    /// Commands with an id that were not answered.
    again: VecDeque<Request>,
}

impl Clients {
    /// Clients that give `with_id` of a hundred commands an id.
    #[must_use]
    pub const fn new(rng: Rng, with_id: u64) -> Self {
        Self { rng, with_id, only_again: false, made: 0, done: Vec::new(), again: VecDeque::new() }
    }

    /// A command was answered with a result.
    pub fn answered(&mut self, request: &Request) {
        if request.command_id().is_some() {
            self.done.push(request.clone());
        }
    }

    /// Whether a command of this id was answered with a result.
    #[must_use]
    pub fn was_done(&self, command_id: CommandId) -> bool {
        self.done.iter().any(|request| request.command_id() == Some(command_id))
    }

    /// A command was not answered, and will be sent again if it has an id.
    pub fn unanswered(&mut self, request: Request) {
        if request.command_id().is_some() {
            self.again.push_back(request);
        }
    }

    /// Whether something waits to be sent again.
    #[must_use]
    pub fn has_unanswered(&self) -> bool {
        !self.again.is_empty()
    }

    /// From now on nothing new is asked for, but one order as long as nothing waits to be sent again.
    pub const fn only_again(&mut self) {
        self.only_again = true;
    }

    /// The next commands, at most `count` and at least one.
    pub fn next(&mut self, count: u64, model: &Model) -> Vec<Envelope> {
        let count = self.rng.between(1, count.max(1));
        (0..count).map(|_| self.one(model)).collect()
    }

    /// The next command.
    pub fn one(&mut self, model: &Model) -> Envelope {
        let request = if self.only_again {
            self.again.pop_front().unwrap_or_else(|| self.place(model))
        } else if self.rng.percent(60)
            && let Some(request) = self.again.pop_front()
        {
            request
        } else {
            match self.rng.below(100) {
                0..=7 if !self.done.is_empty() => self.repeated(),
                8..=9 if !self.done.is_empty() => self.conflicting(),
                10..=22 => Request::Get { order_id: self.some_order(model) },
                23..=42 => self.complete(model),
                43..=57 => self.cancel(model),
                _ => self.place(model),
            }
        };
        Envelope { connection: ConnectionId(self.rng.below(4)), ticket: Ticket::default(), uid: 0, request }
    }

    /// A command that was done: one of the last, or any.
    fn repeated(&mut self) -> Request {
        let recent = self.rng.percent(70);
        let from = if recent { self.done.len().saturating_sub(10) } else { 0 };
        let index = from + self.rng.index(self.done.len() - from);
        self.done[index].clone()
    }

    /// Another command under an id that was used.
    fn conflicting(&mut self) -> Request {
        let command_id = self.repeated().command_id();
        let order_id = self.fresh_order();
        let customer_id = self.customer();
        let total_amount = self.amount();
        Request::change(Command::Place { order_id: Some(order_id), customer_id, total_amount }, command_id)
    }

    /// An order to be placed.
    pub fn place(&mut self, model: &Model) -> Request {
        let order_id = match self.rng.below(10) {
            0..=3 => None,
            4 => Some(self.some_order(model)),
            _ => Some(self.fresh_order()),
        };
        let (customer_id, total_amount) = (self.customer(), self.amount());
        self.with_id(Command::Place { order_id, customer_id, total_amount })
    }

    fn complete(&mut self, model: &Model) -> Request {
        let order_id = self.some_order(model);
        self.with_id(Command::Complete { order_id })
    }

    fn cancel(&mut self, model: &Model) -> Request {
        let len = *self.rng.pick(&[0, 0, 3, 40, 40, 500]);
        let letter = *self.rng.pick(&["r", "\u{1F4A5}", "\n", "\""]);
        let reason = CancelReason::new(letter.repeat(len)).ok().filter(|_| self.rng.percent(70));
        let order_id = self.some_order(model);
        self.with_id(Command::Cancel { order_id, reason })
    }

    fn with_id(&mut self, command: Command) -> Request {
        let command_id = self.rng.percent(self.with_id).then(|| {
            self.made += 1;
            CommandId::new(Uuid::from_u128(0xC0_0000_0000_0000_0000_0000 + u128::from(self.made)))
        });
        Request::change(command, command_id)
    }

    /// An order that is there mostly, and one of the latest often: that is where unanswered changes are.
    fn some_order(&mut self, model: &Model) -> OrderId {
        if model.orders.is_empty() || self.rng.percent(5) {
            return self.fresh_order();
        }
        let from = if self.rng.percent(70) { model.orders.len().saturating_sub(8) } else { 0 };
        model.orders[from + self.rng.index(model.orders.len() - from)].order_id
    }

    fn fresh_order(&mut self) -> OrderId {
        self.made += 1;
        OrderId::new(Uuid::from_u128(0x0D_0000_0000_0000_0000_0000 + u128::from(self.made)))
    }

    fn customer(&mut self) -> CustomerId {
        CustomerId::new(Uuid::from_u128(u128::from(self.rng.below(20))))
    }

    fn amount(&mut self) -> Cents {
        Cents::new(self.rng.below(1_000_000)).unwrap_or(Cents::MAX)
    }
}
