//! Stores plans: each whole or not at all, many with one sync.

use std::io;

use super::{Fingerprint, Lsn, OrderRepository, Plan, StoreStatus};
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

    /// Makes all staged plans durable. On return with `Ok` they survive any crash.
    ///
    /// # Errors
    /// [`CommitError::Full`]: nothing of what was staged is stored, and it has been taken back from what `retrieve`
    /// and `remembered` show. [`CommitError::Failed`]: it is not known what is stored; the process must end.
    fn commit(&mut self) -> Result<(), CommitError>;

    /// Says which orders will be retrieved next, so that they can be fetched together. A hint: nothing depends on it.
    fn prefetch(&self, _order_ids: &[OrderId]) {}

    /// The bytes that `commit` would write now.
    fn staged_bytes(&self) -> usize;

    /// Whether there is room for new plans; while there is none, tries again to make some, as often as the
    /// configuration says.
    ///
    /// # Errors
    /// [`CommitError::Failed`]: the process must end.
    fn has_room(&mut self) -> Result<bool, CommitError>;

    /// The command of this id, if it is among those remembered.
    fn remembered(&self, command_id: CommandId) -> Option<RememberedCommand>;

    /// The last plan that is durable.
    fn durable_lsn(&self) -> Lsn;

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
    /// The order after it.
    pub order: OrderState,
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
        /// What was tried.
        operation: &'static str,
        /// What came back.
        source: io::Error,
    },
}
