//! The events after the prefix, as far as they were read: which of them are settled.

use std::collections::VecDeque;

use crate::contracts::Sequence;
use crate::domain::OrderId;

/// One event in the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) order_id: OrderId,
    pub(super) bytes: u32,
    /// How often it was handed out.
    pub(super) attempts: u32,
    pub(super) state: EntryState,
    /// The next event of the same lane in the window; zero for none.
    pub(super) next: Sequence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    /// Not delivered.
    Open,
    /// On its way into a parked lane: the decision is not durable yet.
    Parking,
    /// The same, and an outcome that came meanwhile says that it was delivered.
    ParkingDelivered,
    /// Delivered, parked or skipped.
    Settled,
}

/// A ring of the events after the prefix, without gaps.
#[derive(Debug)]
pub(super) struct Window {
    prefix: Sequence,
    entries: VecDeque<Entry>,
    /// How many of the entries are settled.
    settled: usize,
}

impl Window {
    pub(super) const fn new(prefix: Sequence) -> Self {
        Self { prefix, entries: VecDeque::new(), settled: 0 }
    }

    /// Everything up to here is settled.
    pub(super) const fn prefix(&self) -> Sequence {
        self.prefix
    }

    /// The last event that was read.
    pub(super) fn last(&self) -> Sequence {
        self.prefix.plus(self.entries.len() as u64)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn settled(&self) -> usize {
        self.settled
    }

    /// Takes in the event after the last.
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        if entry.state == EntryState::Settled {
            self.settled += 1;
            self.advance();
        }
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&Entry> {
        self.entries.get(self.index_of(sequence)?)
    }

    pub(super) fn get_mut(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        let index = self.index_of(sequence)?;
        self.entries.get_mut(index)
    }

    /// The first event that is not settled.
    pub(super) fn front(&self) -> Option<(Sequence, &Entry)> {
        self.entries.front().map(|entry| (self.prefix.next(), entry))
    }

    /// Settles an event; `false` if it was settled before or is not in the window.
    pub(super) fn settle(&mut self, sequence: Sequence) -> bool {
        let Some(entry) = self.get_mut(sequence) else { return false };
        if entry.state == EntryState::Settled {
            return false;
        }
        entry.state = EntryState::Settled;
        self.settled += 1;
        self.advance();
        true
    }

    /// Goes on after `sequence`, which lies after everything that was read. Only an empty window can.
    pub(super) fn jump(&mut self, sequence: Sequence) {
        if self.entries.is_empty() && sequence > self.prefix {
            self.prefix = sequence;
        }
    }

    /// Whether each event after the prefix is settled, in order.
    pub(super) fn settled_bits(&self) -> impl Iterator<Item = bool> + '_ {
        self.entries.iter().map(|entry| entry.state == EntryState::Settled)
    }

    fn advance(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.state == EntryState::Settled) {
            self.entries.pop_front();
            self.settled -= 1;
            self.prefix = self.prefix.next();
        }
    }

    fn index_of(&self, sequence: Sequence) -> Option<usize> {
        usize::try_from(sequence.0.checked_sub(self.prefix.0)?.checked_sub(1)?).ok()
    }
}
