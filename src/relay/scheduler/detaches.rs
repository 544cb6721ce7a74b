//! Programs that go away without a word: what kills its consumer must not stop everybody else.

use std::collections::BTreeSet;

use crate::contracts::Sequence;
use crate::domain::OrderId;

/// Detaches in a row without an outcome.
#[derive(Debug, Default)]
pub(super) struct Detaches {
    in_a_row: u32,
    heard: bool,
    one_at_a_time: bool,
    /// Events that were in flight at such a detach, and had no outcome since.
    suspects: BTreeSet<(Sequence, OrderId)>,
}

impl Detaches {
    /// Whether one event at a time is handed out.
    pub(super) const fn one_at_a_time(&self) -> bool {
        self.one_at_a_time
    }

    /// Any outcome came on this connection.
    pub(super) fn heard(&mut self) {
        self.heard = true;
        self.in_a_row = 0;
        self.one_at_a_time &= !self.suspects.is_empty();
    }

    /// An event got an outcome, or left the stream.
    pub(super) fn clear(&mut self, sequence: Sequence, order_id: OrderId) {
        if !self.suspects.is_empty() {
            self.suspects.remove(&(sequence, order_id));
            self.one_at_a_time &= !self.suspects.is_empty();
        }
    }

    /// The program is gone, with these unanswered; after `in_a_row_max` such ends one event at a time is handed out.
    pub(super) fn detached(&mut self, unanswered: impl Iterator<Item = (Sequence, OrderId)>, in_a_row_max: u32) {
        let heard = std::mem::take(&mut self.heard);
        let mut unanswered = unanswered.peekable();
        if heard || unanswered.peek().is_none() {
            return;
        }
        self.suspects.extend(unanswered);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.one_at_a_time |= self.in_a_row >= in_a_row_max;
    }
}
