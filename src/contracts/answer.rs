//! The way into the executor and back to the client.

use super::{Lsn, OperatorRefusal, OperatorResult, OrderNotFound, Request, RetrieveError, StoreUnavailable};
use crate::domain::{CommandId, OrderId, OrderState, TransitionError};

/// Names a connection; never used twice in one run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Numbers the requests of one connection, from 0; answers carry it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A request on its way to the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where the answer goes.
    pub connection: ConnectionId,
    /// Which of the connection's requests it is.
    pub ticket: Ticket,
    /// The Unix user who asks.
    pub uid: u32,
    /// What is asked for.
    pub request: Request,
}

/// An answer on its way to the client. Whatever it tells is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Who asked.
    pub connection: ConnectionId,
    /// Which of the connection's requests this answers.
    pub ticket: Ticket,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An order was changed, now or, if `duplicate`, when the command came first.
    Changed {
        /// The order after the change.
        order: OrderState,
        /// Where the change stands in the journal.
        lsn: Lsn,
        /// Whether the command had been executed before.
        duplicate: bool,
    },
    /// An order, as asked for.
    Found(OrderState),
    /// What an operator asked for is done.
    Operated(Box<OperatorResult>),
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such order.
    #[error("{0}; place it first, or check the id")]
    OrderNotFound(#[from] OrderNotFound),
    /// An order of this id is there already.
    #[error("order {0} exists already; choose another order_id or leave it out")]
    OrderExists(OrderId),
    /// The order's status does not allow it.
    #[error(transparent)]
    InvalidTransition(#[from] TransitionError),
    /// The id stands for another command.
    #[error("command_id {0} was used for a command with other content; a new command takes a new command_id")]
    CommandIdConflict(CommandId),
    /// Too much is waiting.
    #[error("too many commands are waiting; send it again later")]
    Overloaded,
    /// The daemon is going down.
    #[error("the daemon is shutting down and takes no new commands; send it again after the restart")]
    ShuttingDown,
    /// No room for another plan.
    #[error("no room to store the change; reads go on, and changes will when there is room: send it again later")]
    StorageFull,
    /// The store does not answer.
    #[error("{0}")]
    StoreUnavailable(#[from] StoreUnavailable),
    /// The store can hold less than the protocol takes.
    #[error("{0}")]
    NotStorable(&'static str),
    /// The store did not say whether it took the change.
    #[error("the store did not say whether it took the change; send it again with the same command_id")]
    OutcomeUnknown,
    /// There may not be more orders.
    #[error("there are {0} orders, as many as executor.orders_max allows; raise it, or place no more")]
    TooManyOrders(u64),
    /// An operator's request cannot be carried out.
    #[error(transparent)]
    Operator(#[from] OperatorRefusal),
}

impl From<RetrieveError> for Refusal {
    fn from(error: RetrieveError) -> Self {
        match error {
            RetrieveError::NotFound(error) => Self::OrderNotFound(error),
            RetrieveError::Unavailable(error) => Self::StoreUnavailable(error),
        }
    }
}
