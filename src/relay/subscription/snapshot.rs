//! A snapshot on its way to the program: its rows in the window, and its end.

use std::sync::Arc;
use std::time::Duration;

use super::content::Read;
use super::{Subscription, decisions};
use crate::contracts::{DecisionKind, FeedError};
use crate::domain::OrderId;

/// Rows that are read in one turn.
const READS_MAX: usize = 1024;

impl Subscription {
    /// Reads rows into the window.
    pub(super) fn read_snapshot(&mut self) -> Result<Read, FeedError> {
        let Some(rows) = &mut self.snapshot else { return Ok(Read::Enough) };
        let mut left = READS_MAX;
        loop {
            let mut scheduler = self.shared.scheduler();
            rows.release(scheduler.prefix());
            let wanted = scheduler.wanted().min(left);
            if wanted == 0 {
                return Ok(if left == 0 { Read::More } else { Read::Enough });
            }
            // A row that has changed is looked up in the journal: nobody may wait for that who looks at the scheduler.
            drop(scheduler);
            let read: Vec<_> = rows.read(wanted)?.cloned().collect();
            if read.is_empty() {
                return Ok(Read::End);
            }
            left -= read.len();
            scheduler = self.shared.scheduler();
            for event in &read {
                scheduler.push(event.entry.event.order_id(), decisions::bytes_of(event));
            }
        }
    }

    /// Has it decided that the snapshot is over, once everything of it is settled.
    pub(super) fn settle_snapshot(&mut self) {
        let Some(rows) = &mut self.snapshot else { return };
        let scheduler = self.shared.scheduler();
        let is_done = scheduler.is_snapshot_done();
        rows.release(scheduler.prefix());
        drop(scheduler);
        if is_done && !rows.ending {
            rows.ending = true;
            self.others.push(self.deciding.decide(DecisionKind::SnapshotEnded, Arc::from(""), self.clock.now()));
        }
    }

    /// An order of the snapshot is parked: the cursor says so soon, so that it can be skipped for good.
    pub(super) fn note_unsaved_row(&mut self, order_id: OrderId, now: Duration) {
        self.shared.note_unsaved_row(order_id);
        self.saving.save_by(now);
    }

    /// It is durably decided that the snapshot is over: the live events come next. Saved soon, so that the cursor says
    /// so, too.
    pub(super) fn end_snapshot(&mut self, now: Duration) {
        if self.snapshot.take().is_some() {
            self.shared.scheduler().end_snapshot();
            self.saving.save_by(now);
            tracing::info!(sink = &*self.settings.name, "every order of the snapshot is settled; live events follow");
        }
    }
}
