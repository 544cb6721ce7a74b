//! The way into the executor and back to the client.

use super::{Command, Lsn, OrderNotFound, StoreStatus};
use crate::domain::{CommandId, OrderId, OrderState, TransitionError};

/// Names a connection; never used twice in one run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A command on its way to the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Where the answer goes. Answers of one connection come back in the order of its submissions.
    pub connection: ConnectionId,
    /// What is asked for.
    pub command: Command,
}

/// An answer on its way to the client. Whatever it tells is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub connection: ConnectionId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// How the store is; the server adds what it knows itself.
    Status(StoreStatus),
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
}
