//! The orders as of one position, as events: what a sink that starts with a snapshot gets first.
//!
//! ```text
//!  rows, page by page, as they are now ─▶ what changed since the position is set back ─▶ one event per row
//! ```
//!
//! Orders are never removed and keep their rows, so the first rows are those that there were at the position, and a row
//! number says how far a snapshot has come. Everything in an event follows from the row, the position and what was
//! recorded with it: after a restart the same rows give the same bytes. Nothing is held but two pages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contracts::{
    EventFeed, EventHistory, FeedError, FeedPosition, OrderRow, OrderRows, PublishedEvent, Sequence, SinkRecord,
    SnapshotStart, order_snapshot,
};

/// Rows that are asked for at once: copying them takes a moment in which no command is decided.
const PAGE_ROWS: usize = 512;

/// Rows that were asked for, once they are there.
type Mailbox = Arc<Mutex<Option<Vec<OrderRow>>>>;

/// Reads a snapshot forward.
pub(super) struct SnapshotFeed {
    rows: Arc<dyn OrderRows>,
    history: Arc<dyn EventHistory>,
    /// Wakes who reads: rows are there.
    wake: Arc<dyn Fn() + Send + Sync>,
    position: FeedPosition,
    start: SnapshotStart,
    source: Arc<str>,
    /// Rows that were read.
    read: u64,
    /// The rows after them, as far as they are there.
    page: VecDeque<OrderRow>,
    asked: Option<Mailbox>,
}

impl SnapshotFeed {
    /// The snapshot that a sink is being handed, if it is: as of `position`, after its first `read` rows.
    pub(super) fn of(
        record: &SinkRecord,
        position: FeedPosition,
        read: u64,
        rows: Arc<dyn OrderRows>,
        history: Arc<dyn EventHistory>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Option<Self> {
        let start = record.running_snapshot()?;
        let source = Arc::clone(&record.start.source);
        Some(Self { rows, history, wake, position, start, source, read, page: VecDeque::new(), asked: None })
    }

    /// How many rows the snapshot has.
    pub(super) const fn orders(&self) -> u64 {
        self.start.orders
    }

    /// The position that the orders are as of.
    pub(super) const fn as_of(&self) -> FeedPosition {
        self.position
    }

    /// How many rows were read.
    pub(super) const fn rows_read(&self) -> u64 {
        self.read
    }

    /// Goes back to the first `read` rows.
    pub(super) fn rewind(&mut self, read: u64) {
        if self.read != read {
            self.read = read;
            self.page.clear();
            // An answer that is still under way goes nowhere.
            self.asked = None;
        }
    }

    /// Takes what has come.
    fn collect(&mut self) {
        let arrived = self.asked.as_ref().and_then(|mail| mail.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(rows) = arrived {
            self.asked = None;
            self.page.extend(rows);
        }
    }

    /// Asks for a page, as soon as the present one comes to its end.
    fn ask(&mut self) {
        let from = self.read.saturating_add(self.page.len() as u64);
        let left = self.start.orders.saturating_sub(from);
        if self.asked.is_some() || left == 0 || self.page.len() > PAGE_ROWS / 2 {
            return;
        }
        let count = usize::try_from(left).unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
        let (mail, wake) = (Mailbox::default(), Arc::clone(&self.wake));
        let put = Arc::clone(&mail);
        let answer = Box::new(move |rows| {
            *put.lock().unwrap_or_else(PoisonError::into_inner) = Some(rows);
            wake();
        });
        if self.rows.ask(from, count, answer) {
            self.asked = Some(mail);
        } else {
            // Too many ask at once: again with the next turn.
            (self.wake)();
        }
    }

    fn event(&self, row: &OrderRow) -> Result<PublishedEvent, FeedError> {
        order_snapshot(row, self.position.sequence, &self.start, &self.source, self.history.as_ref())
    }
}

/// Rows stand in for sequences: the feed's position has the number of rows, and its events carry another sequence.
impl EventFeed for SnapshotFeed {
    /// Rows that are not there yet are not read: who reads is woken when they are. What was appended before an error is
    /// good; the row that could not be read is tried again.
    fn read(&mut self, count: usize, events: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        self.collect();
        for _ in 0..count {
            let Some(row) = self.page.front() else { break };
            events.push(self.event(row)?);
            self.page.pop_front();
            self.read += 1;
        }
        self.ask();
        Ok(())
    }

    fn position(&self) -> FeedPosition {
        FeedPosition { sequence: Sequence(self.read), ..self.position }
    }

    fn durable_sequence(&self) -> Sequence {
        Sequence(self.start.orders)
    }

    fn carried(&self) -> Option<Sequence> {
        Some(self.position.sequence)
    }
}

#[cfg(test)]
#[path = "snapshot_test.rs"]
mod tests;
