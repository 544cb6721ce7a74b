//! The rows of a snapshot that are in the window.

use std::collections::VecDeque;
use std::sync::Arc;

use super::content::Content;
use crate::contracts::{EventFeed, FeedError, PublishedEvent, Sequence};
use crate::relay::snapshot::SnapshotFeed;

/// The rows in the window, by number from 1: as many events as the window has, of a few hundred bytes each.
pub(super) struct SnapshotRows {
    feed: SnapshotFeed,
    /// Rows that are settled, and everything before them.
    base: u64,
    items: VecDeque<Arc<PublishedEvent>>,
    scratch: Vec<PublishedEvent>,
    /// That it is over is decided, or on the way.
    pub(super) ending: bool,
}

impl SnapshotRows {
    pub(super) const fn new(feed: SnapshotFeed) -> Self {
        let base = feed.rows_read();
        Self { feed, base, items: VecDeque::new(), scratch: Vec::new(), ending: false }
    }

    /// Reads at most `count` rows more; gives those that were read.
    pub(super) fn read(&mut self, count: usize) -> Result<impl Iterator<Item = &Arc<PublishedEvent>>, FeedError> {
        let before = self.items.len();
        let read = self.feed.read(count, &mut self.scratch);
        self.items.extend(self.scratch.drain(..).map(Arc::new));
        match read {
            Err(error) if self.items.len() == before => Err(error),
            Ok(()) | Err(_) => Ok(self.items.iter().skip(before)),
        }
    }

    /// Every row up to `prefix` is settled; also such that were never read.
    pub(super) fn release(&mut self, prefix: Sequence) {
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
