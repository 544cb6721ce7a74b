//! Stores plans: each whole or not at all, many with one sync.

use std::io;

use std::sync::Arc;

use super::{
    ChangeRequest, Decision, DecisionInbox, DecisionNews, Envelope, EventHistory, Fingerprint, Lsn, OrderRepository,
    OrderRow, Plan, Sequence, SinkRecord, StoreStatus, StoreUnavailable,
};
use crate::domain::{CommandId, OrderId, OrderState};

/// Takes plans in, makes them durable together, and shows the orders with the staged plans applied.
///
/// The journal is one; PostgreSQL, with the tables of `SCHEMA.sql`, is another, which several daemons share: there what
/// was read may be changed by others before the commit, which is then a [`CommitError::Conflict`], and is decided again.
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

    /// Fetches what these requests will ask for, as far as that makes them faster; to be called before each batch. What
    /// was fetched may be shown until the next commit.
    ///
    /// # Errors
    /// Nothing can be read now: none of these requests can be decided.
    fn load(&mut self, _requests: &[Envelope]) -> Result<(), StoreUnavailable> {
        Ok(())
    }

    /// Makes all staged plans durable. On return with `Ok` they survive any crash, and the inboxes of sinks have the
    /// decisions among them.
    ///
    /// # Errors
    /// But for [`CommitError::Failed`], after which the process must end, everything staged has been taken back from what
    /// `retrieve`, `remembered` and `sink` show, and the inboxes have been told of the tickets of the decisions among it.
    fn commit(&mut self) -> Result<Committed, CommitError>;

    /// Says which orders will be retrieved next, so that they can be fetched together. A hint: nothing depends on it.
    fn prefetch(&self, _order_ids: &[OrderId]) {}

    /// Says that an id was just made: no order has it, so that nobody need look. A hint, as `prefetch`.
    fn note_new(&mut self, _order_id: OrderId) {}

    /// Whether the store can hold what a change says, apart from its size.
    ///
    /// # Errors
    /// What it cannot hold, for the client.
    fn check(&self, _change: &ChangeRequest) -> Result<(), &'static str> {
        Ok(())
    }

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
    ///
    /// # Errors
    /// It cannot be read now.
    fn remembered(&self, command_id: CommandId) -> Result<Option<RememberedCommand>, StoreUnavailable>;

    /// The last plan that is durable.
    fn durable_lsn(&self) -> Lsn;

    /// How many orders there are, staged ones included.
    fn orders_count(&self) -> u64;

    /// The last event, staged ones included.
    fn last_sequence(&self) -> Sequence;

    /// The store's epoch, which events that are stored now carry.
    fn epoch(&self) -> u32;

    /// The last plan that changed an order: where [`EventHistory::order_events`] begins.
    ///
    /// # Errors
    /// It cannot be read now.
    fn order_lsn(&self, order_id: OrderId) -> Result<Option<Lsn>, StoreUnavailable>;

    /// An order's row and its number from 0, as [`OrderRows`](super::OrderRows) counts them; `None` if there is no such
    /// order, or the store has no rows.
    fn order_row(&self, _order_id: OrderId) -> Option<(u64, OrderRow)> {
        None
    }

    /// What was decided about a sink; `None` if it was never registered, or was forgotten.
    fn sink(&self, name: &str) -> Option<&SinkRecord>;

    /// What was decided about all sinks, by name.
    fn sinks(&self) -> Vec<&SinkRecord>;

    /// Where the worker of a sink hears of decisions; `None` if it has none.
    fn inbox(&self, sink: &str) -> Option<&Arc<DecisionInbox>>;

    /// Has the worker of a sink end its waits, wherever it is.
    ///
    /// # Errors
    /// The worker is elsewhere, and the store does not answer.
    fn retry(&self, sink: &str) -> Result<(), StoreUnavailable> {
        self.inbox(sink).into_iter().for_each(|inbox| inbox.put([DecisionNews::Retry]));
        Ok(())
    }

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
    /// Its place in the store; provisional where others write, too, until [`Committed::settle`] tells the real one.
    pub lsn: Lsn,
    /// The order after it; `None` for a decision about delivery.
    pub order: Option<OrderState>,
}

/// Where the plans of a commit are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Plans were staged as if they came after this one.
    staged_after: Lsn,
    /// They are stored after this one.
    stored_after: Lsn,
}

impl Committed {
    /// Stored where they were staged.
    pub const AS_STAGED: Self = Self { staged_after: Lsn(u64::MAX), stored_after: Lsn(u64::MAX) };

    /// Plans that were staged after one place and stored after another.
    #[must_use]
    pub const fn moved(staged_after: Lsn, stored_after: Lsn) -> Self {
        Self { staged_after, stored_after }
    }

    /// The real place of what `staged` names; places of older plans are real already.
    #[must_use]
    pub fn settle(self, staged: Lsn) -> Lsn {
        if staged > self.staged_after { self.stored_after.plus(staged.since(self.staged_after)) } else { staged }
    }
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
    /// Another daemon was first; nothing is stored, and deciding it again will show what changed.
    #[error("another daemon was first: {which}")]
    Conflict {
        /// What both wanted.
        which: Contested,
    },
    /// The store does not answer; nothing is stored.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The store did not answer the commit, and cannot be asked: all of it is stored, or nothing.
    #[error("the outcome of a commit is unknown: {0}")]
    Unknown(String),
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

/// What two daemons wanted at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contested {
    /// A new order's id, or an order's version.
    Order,
    /// A command's id.
    Command,
    /// A sink's record.
    Delivery,
    /// A lock of the database.
    Lock,
}

impl std::fmt::Display for Contested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Order => "the order has changed",
            Self::Command => "the command was carried out",
            Self::Delivery => "delivery was decided about",
            Self::Lock => "a lock was not to be had",
        })
    }
}
