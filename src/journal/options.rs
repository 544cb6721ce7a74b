//! The journal's limits.

use std::time::Duration;

use super::last_segment::END_BYTES;

/// The journal's limits, all from the configuration, and what makes its epochs differ from boot to boot.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// The size of a segment where there is room for it.
    pub segment_bytes: u64,
    /// The most that segments may take together.
    pub bytes_max: u64,
    /// The most that one batch writes, but for its last plan.
    pub batch_bytes_max: usize,
    /// More than any plan of a command takes.
    pub plan_bytes_max: u64,
    /// Room at the end of a segment that only decisions about delivery may use.
    pub decisions_bytes: u64,
    /// How often a full journal looks for room.
    pub full_probe: Duration,
    /// Random: the epochs of this boot's segments are made from it.
    pub epoch_seed: u64,
}

impl JournalOptions {
    /// Room that a segment must have for a batch to go into it: the batch, one plan more, what decisions may take beside
    /// them, and the end.
    pub(super) const fn reserve_bytes(&self) -> u64 {
        let batch = (self.batch_bytes_max as u64).saturating_add(self.plan_bytes_max);
        batch.saturating_add(self.decisions_bytes).saturating_add(END_BYTES)
    }
}
