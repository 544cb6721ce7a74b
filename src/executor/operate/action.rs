//! What is to become of a request.

use std::sync::Arc;

use super::journal_query::JournalQuery;
use super::requeue_job::RequeueJob;
use crate::contracts::{Decision, OperatorResult};

/// What is to become of a request.
#[derive(Debug)]
pub(in crate::executor) enum Action {
    /// Make the decisions durable, then do what is left to do, then answer.
    Decide { decisions: Vec<Decision>, result: OperatorResult, follow_up: Option<FollowUp> },
    /// The journal has to be read first, and that may take long.
    Read(JournalQuery),
    /// Many lanes, batch by batch.
    Requeue(RequeueJob),
    /// The sink's worker ends its back-offs. Nothing is decided, so nothing is recorded.
    Retry(Arc<str>),
}

/// What follows from a decision that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::executor) enum FollowUp {
    /// The sink's cursor goes.
    Forget(Arc<str>),
}

impl Action {
    /// Nothing is decided.
    pub(super) fn answer(result: OperatorResult) -> Self {
        Self::Decide { decisions: Vec::new(), result, follow_up: None }
    }

    /// Decided, and `{}` is the answer.
    pub(super) fn done(decisions: impl IntoIterator<Item = Decision>) -> Self {
        Self::Decide { decisions: decisions.into_iter().collect(), result: OperatorResult::Done {}, follow_up: None }
    }
}
