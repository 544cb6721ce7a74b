//! What a worker's step came to.

use std::time::Duration;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch was delivered; there may be more.
    Delivered,
    /// Everything durable is delivered and saved, or the sink is paused: there is nothing to do until somebody signals.
    Idle,
    /// Everything durable is delivered; at this time by the steady clock the cursor is to be saved.
    CursorDue(Duration),
    /// The sink, the outbox or the cursor's file failed; before this time by the steady clock there is nothing to do.
    Retry(Duration),
}

impl Step {
    /// What comes next where both of two streams step side by side.
    pub(super) fn beside(self, other: Self) -> Self {
        let at = match other {
            Self::Delivered => return Self::Delivered,
            Self::Idle => return self,
            Self::CursorDue(at) | Self::Retry(at) => at,
        };
        match self {
            Self::Delivered => Self::Delivered,
            Self::Idle => Self::CursorDue(at),
            Self::CursorDue(own) => Self::CursorDue(own.min(at)),
            Self::Retry(own) => Self::Retry(own.min(at)),
        }
    }
}
