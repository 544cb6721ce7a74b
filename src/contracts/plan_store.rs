//! Stores plans: each whole or not at all, many with one sync.

use std::io;

use std::sync::Arc;

use super::{
    Decision, DecisionInbox, EventHistory, Fingerprint, Lsn, OrderRepository, Plan, Sequence, SinkRecord, StoreStatus,
};
use crate::domain::{CommandId, OrderId, OrderState};

/// Takes plans in, makes them durable together, and shows the orders with the staged plans applied.
///
/// The journal is one; a database, with the tables of `SCHEMA.sql`, can be another: `stage` executes the plan's
/// statements, `commit` commits.
pub trait PlanStore: OrderRepository {
    /// Applies `plan` to what `retrieve` and `remembered` show, without making it durable. Nothing that depends on it
    /// may be told to anyone before `commit` returned `Ok`.
    ///
    /// # Errors
    /// The plan does not fit what it was made from; the process must end.
    fn stage(&mut self, plan: &Plan) -> Result<Staged, CommitError>;

    /// Stages each decision as a plan of its own, all of them or none; they are durable with the next `commit`, which puts
    /// each into its sink's [`DecisionInbox`] together with `ticket`. Decisions have room of their own: it may be there
    /// when there is none for commands.
    ///
    /// # Errors
    /// [`CommitError::Full`]: none is staged, and nothing else was changed; the sink's inbox has been told so if there is
    /// a ticket. Others as [`PlanStore::stage`].
    fn stage_decisions(&mut self, ticket: Option<u64>, decisions: Vec<Decision>) -> Result<Vec<Lsn>, CommitError>;

    /// Makes all staged plans durable. On return with `Ok` they survive any crash, and the inboxes of sinks have the
    /// decisions among them.
    ///
    /// # Errors
    /// [`CommitError::Full`]: nothing of what was staged is stored, and it has been taken back from what `retrieve`,
    /// `remembered` and `sink` show; the inboxes have been told of the tickets of the decisions among it. [`CommitError::Failed`]: it is not known what is stored; the process must end.
    fn commit(&mut self) -> Result<(), CommitError>;

    /// Says which orders will be retrieved next, so that they can be fetched together. A hint: nothing depends on it.
    fn prefetch(&self, _order_ids: &[OrderId]) {}

    /// The bytes that `commit` would write now.
    fn staged_bytes(&self) -> usize;

    /// Sees to it that there is room for a batch of plans, and says for whom there is. To be called before each batch and
    /// from time to time in between: while there is none, it tries again as often as the configuration says.
    ///
    /// # Errors
    /// [`CommitError::Failed`]: the process must end.
    fn make_room(&mut self) -> Result<Room, CommitError>;

    /// Nothing has come for a moment: time to leave proof that the last plans are durable. To be called between two batches.
    ///
    /// # Errors
    /// [`CommitError::Failed`]: the process must end.
    fn mark_idle(&mut self) -> Result<(), CommitError> {
        Ok(())
    }

    /// The command of this id, if it is among those remembered.
    fn remembered(&self, command_id: CommandId) -> Option<RememberedCommand>;

    /// The last plan that is durable.
    fn durable_lsn(&self) -> Lsn;

    /// How many orders there are, staged ones included.
    fn orders_count(&self) -> u64;

    /// The last event, staged ones included.
    fn last_sequence(&self) -> Sequence;

    /// The store's epoch, which events that are stored now carry.
    fn epoch(&self) -> u32;

    /// The last plan that changed an order: where [`EventHistory::order_events`] begins.
    fn order_lsn(&self, order_id: OrderId) -> Option<Lsn>;

    /// What was decided about a sink; `None` if it was never registered, or was forgotten.
    fn sink(&self, name: &str) -> Option<&SinkRecord>;

    /// What was decided about all sinks, by name.
    fn sinks(&self) -> Vec<&SinkRecord>;

    /// Where the worker of a sink hears of decisions; `None` if it has none.
    fn inbox(&self, sink: &str) -> Option<&Arc<DecisionInbox>>;

    /// What is durable, to be looked into from any thread.
    fn history(&self) -> Arc<dyn EventHistory>;

    /// How the store is.
    fn status(&self) -> StoreStatus;

    /// Leaves the store so that a later start knows that nothing is missing at its end. To be called once, after the
    /// last commit.
    ///
    /// # Errors
    /// The mark could not be written; everything committed is durable all the same.
    fn close(&mut self) -> io::Result<()>;
}

/// What a staged plan will be once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged {
    /// Its place in the journal.
    pub lsn: Lsn,
    /// The order after it; `None` for a decision about delivery.
    pub order: Option<OrderState>,
}

/// For whom there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// For every plan.
    ForAll,
    /// For decisions about delivery, which have a reserve of their own.
    ForDecisions,
    /// For none.
    None,
}

/// A command that was executed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedCommand {
    /// Of its method and params.
    pub fingerprint: Fingerprint,
    /// The order as it was answered then.
    pub order: OrderState,
    /// Where its plan stands in the journal.
    pub lsn: Lsn,
}

/// Why a commit did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// There is no room; everything staged was taken back.
    #[error("no room for the journal: {0}")]
    Full(#[source] io::Error),
    /// A write or sync failed. What reached the disk is unknown until a restart has read it back: a failed sync is
    /// never tried again, because the kernel may have dropped the pages and would report success.
    #[error("the journal cannot be trusted after a failed {operation}: {source}")]
    Failed {
        /// The operation that failed.
        operation: &'static str,
        /// The underlying error.
        source: io::Error,
    },
}
