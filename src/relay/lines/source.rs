//! The feed of a worker, opened where it is needed.

use std::sync::{Arc, OnceLock};

use super::batch::Batch;
use crate::contracts::{EventFeed, EventHistory, FeedError, FeedPosition, Progress, ReplaySpec, Sequence, SinkRecord};
use crate::relay::snapshot::SnapshotFeed;
use crate::relay::{Control, WorkerPorts, replay};

/// Reads events from a position on; the feed is opened when something is wanted of it, so that what cannot be read
/// shows then, and to this sink alone.
pub(super) struct Source {
    history: Arc<dyn EventHistory>,
    feed: Option<Box<dyn EventFeed>>,
    /// Where the next feed is opened.
    position: FeedPosition,
    /// The snapshot that comes before the live events, while it is handed out.
    snapshot: Option<SnapshotFeed>,
    /// The replay whose events alone are wanted; `None` for all events.
    replay: Option<ReplaySpec>,
}

impl Source {
    /// Goes on from what was saved: with the snapshot that the sink is being handed, if it is.
    pub(super) fn new(
        ports: &WorkerPorts,
        progress: &dyn Progress,
        record: Option<&SinkRecord>,
        control: &Arc<OnceLock<Arc<Control>>>,
    ) -> Self {
        let (history, rows) = (Arc::clone(&ports.history), Arc::clone(&ports.rows));
        let (position, rows_read, control) = (progress.position(), progress.details().rows, Arc::clone(control));
        let wake = Arc::new(move || control.get().map_or((), |control| control.wake()));
        let feed = |record| SnapshotFeed::of(record, position, rows_read, rows, Arc::clone(&history), wake);
        let snapshot = record.and_then(feed);
        let position = snapshot.as_ref().map_or(position, EventFeed::position);
        Self { history, feed: None, position, snapshot, replay: None }
    }

    /// Only what this replay hands out again.
    pub(super) const fn of_replay(history: Arc<dyn EventHistory>, position: FeedPosition, spec: ReplaySpec) -> Self {
        Self { history, feed: None, position, snapshot: None, replay: Some(spec) }
    }

    /// Where the next feed is opened; while a snapshot is handed out, with its rows in place of a sequence.
    pub(super) const fn position(&self) -> FeedPosition {
        self.position
    }

    /// The snapshot that is handed out, if one is.
    pub(super) const fn snapshot(&self) -> Option<&SnapshotFeed> {
        self.snapshot.as_ref()
    }

    /// The live events after the snapshot come next; gives where they begin, if there was a snapshot.
    pub(super) fn end_snapshot(&mut self) -> Option<FeedPosition> {
        self.position = self.snapshot.take()?.as_of();
        Some(self.position)
    }

    /// Fills `batch` with what comes next.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn refill(&mut self, batch: &mut Batch) -> Result<(), FeedError> {
        if let Some(feed) = &mut self.snapshot {
            let refilled = batch.refill(feed, |_| true);
            if refilled.is_err() {
                feed.rewind(self.position.sequence.0);
                batch.restart(self.position);
            }
            self.position = EventFeed::position(feed);
            return refilled;
        }
        let mut feed = match self.feed.take() {
            Some(feed) => feed,
            None => self.history.open_at(self.position)?,
        };
        let replay = self.replay.as_ref();
        let refilled = batch.refill(&mut *feed, |event| replay.is_none_or(|spec| replay::is_wanted(spec, event)));
        if refilled.is_ok() {
            self.position = feed.position();
            self.feed = Some(feed);
        } else {
            // What was read before the failure is read again.
            let end = self.position;
            batch.restart(end);
        }
        refilled
    }

    /// Goes back to `position`.
    pub(super) fn rewind(&mut self, position: FeedPosition) {
        self.position = position;
        self.feed = None;
        if let Some(feed) = &mut self.snapshot {
            feed.rewind(position.sequence.0);
        }
    }

    /// Opens the feed again when it is needed next.
    pub(super) fn close(&mut self) {
        self.feed = None;
    }

    /// Goes on after `sequence`, also over what cannot be read; tells where that is.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn jump(&mut self, sequence: Sequence) -> Result<FeedPosition, FeedError> {
        let feed = self.history.open_after(sequence)?;
        self.position = feed.position();
        self.feed = Some(feed);
        Ok(self.position)
    }

    /// The last event that is durable.
    pub(super) fn durable_sequence(&self) -> Sequence {
        self.history.last_sequence()
    }
}
