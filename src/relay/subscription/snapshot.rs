//! A snapshot on its way to the program: its rows in the window, and its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::content::{Content, Read};
use super::{Subscription, decisions};
use crate::contracts::{DecisionKind, EventFeed, FeedError, PublishedEvent, Sequence};
use crate::relay::snapshot::SnapshotFeed;

/// Rows that are read in one turn.
const READS_MAX: usize = 1024;

/// The rows in the window, by number from 1: as many events as the window has, of a few hundred bytes each.
pub(super) struct SnapshotRows {
    feed: SnapshotFeed,
    /// Rows that are settled, and everything before them.
    base: u64,
    items: VecDeque<Arc<PublishedEvent>>,
    scratch: Vec<PublishedEvent>,
    /// That it is over is decided, or on the way.
    ending: bool,
}

impl SnapshotRows {
    pub(super) const fn new(feed: SnapshotFeed) -> Self {
        let base = feed.rows_read();
        Self { feed, base, items: VecDeque::new(), scratch: Vec::new(), ending: false }
    }

    /// Reads at most `count` rows more; gives those that were read.
    fn read(&mut self, count: usize) -> Result<impl Iterator<Item = &Arc<PublishedEvent>>, FeedError> {
        let before = self.items.len();
        let read = self.feed.read(count, &mut self.scratch);
        self.items.extend(self.scratch.drain(..).map(Arc::new));
        match read {
            Err(error) if self.items.len() == before => Err(error),
            Ok(()) | Err(_) => Ok(self.items.iter().skip(before)),
        }
    }

    /// Every row up to `prefix` is settled; also such that were never read.
    fn release(&mut self, prefix: Sequence) {
        let passed = usize::try_from(prefix.0.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.items.drain(..passed.min(self.items.len()));
        self.base = self.base.max(prefix.0);
        if self.items.is_empty() && self.base > self.feed.rows_read() {
            self.feed.rewind(self.base);
        }
    }

    /// The event of a row in the window.
    fn get(&self, row: Sequence) -> Result<Arc<PublishedEvent>, FeedError> {
        let index = row.0.checked_sub(self.base).and_then(|index| index.checked_sub(1));
        let item = index.and_then(|index| self.items.get(usize::try_from(index).ok()?));
        item.cloned().ok_or_else(|| FeedError::Damaged(format!("row {row} of the snapshot is not in the window")))
    }
}

/// An event of the stream, which is in the window: of a snapshot, by its row.
pub(super) fn streamed(
    snapshot: Option<&SnapshotRows>,
    content: &Content,
    sequence: Sequence,
) -> Result<Arc<PublishedEvent>, FeedError> {
    snapshot.map_or_else(|| content.get(sequence), |rows| rows.get(sequence))
}

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
