//! Passing over what operators have skipped.

use std::time::Duration;

use super::stream::LineStream;
use crate::contracts::Sequence;

impl LineStream {
    /// Passes over what was skipped, if it is what comes next.
    pub(super) fn pass_skipped(&mut self, now: Duration) {
        let skips = std::mem::take(&mut self.orders.skips);
        let is_skipped = |sequence| skips.iter().any(|(from, to)| (*from..=*to).contains(&sequence));
        let in_snapshot = self.skip_snapshot(is_skipped, now);
        self.orders.skips = skips;
        if in_snapshot {
            return;
        }
        while let Some(at) = self.orders.skips.iter().position(|(from, to)| self.is_next(*from, *to)) {
            let (_, to) = self.orders.skips.swap_remove(at);
            match self.source.jump(to) {
                Ok(position) => self.go_on_after(position, now),
                Err(error) => {
                    self.orders.skips.push((Sequence::ZERO, to));
                    self.block(&error, now);
                    return;
                }
            }
        }
        let delivered = self.delivered.sequence;
        self.orders.skips.retain(|(_, to)| *to > delivered);
    }

    fn is_next(&self, from: Sequence, to: Sequence) -> bool {
        (from..=to).contains(&self.delivered.sequence.next())
    }
}
