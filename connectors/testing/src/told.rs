//! What a connector says of its events.

/// What the attached program said, by sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The target has it.
    Delivered(u64),
    /// It did not go through.
    Failed {
        /// The event.
        sequence: u64,
        /// Why.
        reason: String,
        /// The wait that the program asked for.
        retry_after_ms: Option<u64>,
    },
    /// It never will.
    Rejected {
        /// The event.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// The target takes nothing.
    Unavailable {
        /// Why.
        reason: String,
        /// The wait that the program asked for.
        retry_after_ms: Option<u64>,
        /// An operator is needed.
        blocked: bool,
    },
}

impl Told {
    /// Everything waits for an operator.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        matches!(self, Self::Unavailable { blocked: true, .. })
    }

    /// Everything waits for the target.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { blocked: false, .. })
    }

    /// Something was said of one event, and not that it was delivered.
    #[must_use]
    pub const fn blames_an_event(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Rejected { .. })
    }

    /// The outcome in the words of the connectors' pages.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Failed { .. } => "failed",
            Self::Rejected { .. } => "rejected",
            Self::Unavailable { blocked: false, .. } => "unavailable",
            Self::Unavailable { blocked: true, .. } => "blocked",
        }
    }

    /// Why; of a delivered event nothing.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Delivered(_) => "",
            Self::Failed { reason, .. } | Self::Rejected { reason, .. } | Self::Unavailable { reason, .. } => reason,
        }
    }
}
