//! What became of one event at the target.

use std::time::Duration;

/// A target's answer for one event. The reasons are shown to operators: short, without secrets, without line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it for good, in the sense that the connector's page states.
    Delivered,
    /// This event did not go through; the daemon tries it again later. Decide for this one where it is not clear
    /// whether the event or the target is at fault: the daemon tells them apart by what happens to other orders.
    Failed {
        /// Why.
        reason: String,
        /// The least time before the next attempt, where the target named one.
        retry_after: Option<Duration>,
    },
    /// The target will never take this event, whatever the hour: its order waits for an operator.
    Rejected {
        /// Why.
        reason: String,
    },
    /// The target takes nothing at present. Every unanswered event counts as not delivered.
    Unavailable(Unavailable),
}

/// A target that takes nothing at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Why.
    pub reason: String,
    /// The least time before the next attempt, where the target named one.
    pub retry_after: Option<Duration>,
    /// Waiting is not enough: an operator has to mend a password, a topic, a table.
    pub blocked: bool,
}

impl Outcome {
    /// [`Outcome::Failed`] without a time of its own.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), retry_after: None }
    }

    /// [`Outcome::Rejected`].
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    /// [`Outcome::Unavailable`] that may pass by itself.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(Unavailable::passing(reason))
    }

    /// [`Outcome::Unavailable`] that needs an operator.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Unavailable(Unavailable::blocked(reason))
    }
}

impl Unavailable {
    /// It may pass by itself.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None, blocked: false }
    }

    /// It needs an operator.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None, blocked: true }
    }
}

impl From<Unavailable> for Outcome {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}
