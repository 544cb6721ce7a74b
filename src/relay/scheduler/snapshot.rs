//! The snapshot that a sink may start with: orders in place of events, rows in place of sequences.
//!
//! Every order is in it once, so a lane has one row at most, and its later events come after the whole snapshot. A row
//! that is parked gets the sequence that all of the snapshot carries.

use super::stream::Stream;
use super::window::{Entry, EntryState};
use super::{Scheduler, Snapshot, StreamId};
use crate::contracts::Sequence;
use crate::domain::OrderId;

impl Scheduler {
    /// Whether all of a snapshot is settled; `false` if none is handed out.
    #[must_use]
    pub fn is_snapshot_done(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| self.prefix().0 >= snapshot.rows)
    }

    /// How many rows of a snapshot are not settled; zero if none is handed out.
    #[must_use]
    pub fn snapshot_left(&self) -> u64 {
        let ahead = (self.live.window.settled() + self.settled.len()) as u64;
        self.snapshot.map_or(0, |snapshot| snapshot.rows.saturating_sub(self.prefix().0).saturating_sub(ahead))
    }

    /// The snapshot is over, and everything of it settled: the live events after it come next.
    pub fn end_snapshot(&mut self) {
        let Some(Snapshot { at, .. }) = self.snapshot.take() else { return };
        let lanes = std::mem::take(&mut self.live.lanes);
        self.live = Stream::new(at);
        self.live.lanes = lanes;
        self.settled = std::mem::take(&mut self.settled_after);
        // What is in flight was parked meanwhile, and has that number now.
        self.in_flight.renumber(StreamId::Live, at);
        let orders: Vec<OrderId> = self.live.lanes.keys().copied().collect();
        for order_id in orders {
            self.live.refresh(order_id);
        }
        self.pass_skipped();
    }

    /// Whether a row is delivered, parked or passed over; also if no snapshot is handed out.
    #[must_use]
    pub fn is_row_settled(&self, row: Sequence) -> bool {
        let settled = |entry: &Entry| entry.state == EntryState::Settled;
        self.snapshot.is_none()
            || row <= self.prefix()
            || self.settled.contains(&row)
            || self.passes_snapshot()
            || self.live.window.get(row).is_some_and(settled)
    }

    /// Tells the row of an order of which an event is going to be parked.
    pub fn note_row(&mut self, order_id: OrderId, row: Sequence) {
        if self.snapshot.is_some() {
            self.live.lanes.entry(order_id).or_default().row = Some(row);
        }
    }

    /// The row of an order in the snapshot, as far as it is known.
    pub(super) fn row_of(&self, order_id: OrderId) -> Option<Sequence> {
        let lane = self.live.lanes.get(&order_id)?;
        Some(lane.first).filter(|first| *first != Sequence::ZERO).or(lane.row)
    }

    /// Where an event is in the stream: a snapshot at the order's row, and what comes after the snapshot nowhere yet.
    pub(super) fn place_of(&self, sequence: Sequence, row: Option<Sequence>) -> Option<Sequence> {
        match self.snapshot {
            Some(snapshot) if sequence > snapshot.at => None,
            Some(_) => row,
            None => Some(sequence),
        }
    }

    /// Whether the rest of the snapshot is passed over for good.
    pub(super) fn passes_snapshot(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| self.skips.iter().any(|(from, to)| (*from..=*to).contains(&snapshot.at)))
    }

    /// Passes over the rest of the snapshot, as far as it is not parked or on its way there.
    pub(super) fn skip_snapshot(&mut self) {
        let mut row = self.prefix().next();
        let last = self.live.window.last();
        while row <= last {
            if let Some(entry) = self.live.window.get(row).filter(|entry| entry.state == EntryState::Open) {
                let order_id = entry.order_id;
                self.skip_open(order_id, row);
            }
            row = row.next();
        }
        self.settled.clear();
    }

    /// The number that an event of the stream has for everybody else: of a snapshot, not its row.
    pub(super) fn shown_sequence(&self, stream: StreamId, sequence: Sequence) -> Sequence {
        match (stream, self.snapshot) {
            (StreamId::Live, Some(snapshot)) => snapshot.at,
            (StreamId::Live, None) | (StreamId::Replay(_), _) => sequence,
        }
    }
}
