//! How many lanes are parked, by state.

use crate::contracts::LaneState;

/// A count for each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneCounts {
    retrying: u64,
    rejected: u64,
    held: u64,
    requeued: u64,
}

impl LaneCounts {
    /// Lanes in this state.
    #[must_use]
    pub const fn of(&self, state: LaneState) -> u64 {
        match state {
            LaneState::Retrying => self.retrying,
            LaneState::Rejected => self.rejected,
            LaneState::Held => self.held,
            LaneState::Requeued => self.requeued,
        }
    }

    /// Lanes in any state.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.retrying + self.rejected + self.held + self.requeued
    }

    /// A lane is parked, is no longer, or has another state.
    pub(super) const fn change(&mut self, from: Option<LaneState>, to: Option<LaneState>) {
        if let Some(state) = from {
            let count = self.count(state);
            *count = count.saturating_sub(1);
        }
        if let Some(state) = to {
            *self.count(state) += 1;
        }
    }

    const fn count(&mut self, state: LaneState) -> &mut u64 {
        match state {
            LaneState::Retrying => &mut self.retrying,
            LaneState::Rejected => &mut self.rejected,
            LaneState::Held => &mut self.held,
            LaneState::Requeued => &mut self.requeued,
        }
    }
}
