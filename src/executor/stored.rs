//! What became of a batch.

use crate::contracts::{CommitError, Committed, Refusal, StoreUnavailable};

/// What became of what was staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is durable.
    Durable(Committed),
    /// There was no room; all of it was taken back.
    NoRoom,
    /// Another daemon was first; all of it was taken back.
    Conflict,
    /// The store does not answer; all of it was taken back.
    Unavailable,
    /// All of it is durable, or nothing.
    Unknown,
}

impl Stored {
    /// What a commit tells.
    ///
    /// # Errors
    /// The process must end.
    pub(super) fn of(committed: Result<Committed, CommitError>) -> Result<Self, CommitError> {
        match committed {
            Ok(committed) => Ok(Self::Durable(committed)),
            Err(CommitError::Full(_)) => Ok(Self::NoRoom),
            Err(CommitError::Conflict { which }) => {
                tracing::debug!(%which, "a batch lost a race, and is decided again");
                Ok(Self::Conflict)
            }
            Err(CommitError::Unavailable(_)) => Ok(Self::Unavailable),
            Err(CommitError::Unknown(_)) => Ok(Self::Unknown),
            Err(error @ CommitError::Failed { .. }) => Err(error),
        }
    }

    /// What an operator is told whose decision was not made durable; `None` if it was.
    pub(super) const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Durable(_) => None,
            Self::NoRoom => Some(Refusal::StorageFull),
            // It lost a race; whoever asked may look, and ask again.
            Self::Conflict => Some(Refusal::Overloaded),
            Self::Unavailable => Some(Refusal::StoreUnavailable(StoreUnavailable)),
            Self::Unknown => Some(Refusal::OutcomeUnknown),
        }
    }
}
