//! What the checker says about a history.

use std::fmt;

/// The kinds of broken promise, each reported by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Something that was told, shown or durable is missing.
    Lost,
    /// Something is there, or was shown, that no command caused or no journal holds.
    Phantom,
    /// One command had two effects, two commands were given one, or more was delivered again than allowed.
    Duplicate,
    /// Effects or first deliveries came in another order than they were caused.
    Reordered,
    /// The same thing has two contents.
    Changed,
    /// A plan is there in part.
    Torn,
    /// An order did what no order may do.
    Illegal,
    /// An answer was older than what had been answered before.
    Stale,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub verdict: Verdict,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}: {}", self.verdict, self.detail)
    }
}

/// The violations found so far.
#[derive(Default)]
pub(super) struct Findings {
    violations: Vec<Violation>,
}

impl Findings {
    pub(super) fn add(&mut self, verdict: Verdict, detail: impl Into<String>) {
        self.violations.push(Violation { verdict, detail: detail.into() });
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }
}
