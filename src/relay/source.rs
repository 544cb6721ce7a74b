//! The feed of a worker, opened where it is needed.

use std::sync::Arc;

use super::batch::Batch;
use super::replay;
use crate::contracts::{EventFeed, EventHistory, FeedError, FeedPosition, ReplaySpec, Sequence};

/// Reads events from a position on; the feed is opened when something is wanted of it, so that what cannot be read
/// shows then, and to this sink alone.
pub(super) struct Source {
    history: Arc<dyn EventHistory>,
    feed: Option<Box<dyn EventFeed>>,
    /// Where the next feed is opened.
    position: FeedPosition,
    /// The replay whose events alone are wanted; `None` for all events.
    replay: Option<ReplaySpec>,
}

impl Source {
    pub(super) const fn new(history: Arc<dyn EventHistory>, position: FeedPosition) -> Self {
        Self { history, feed: None, position, replay: None }
    }

    /// Only what this replay hands out again.
    pub(super) fn of_replay(history: Arc<dyn EventHistory>, position: FeedPosition, spec: ReplaySpec) -> Self {
        Self { replay: Some(spec), ..Self::new(history, position) }
    }

    /// Fills `batch` with what comes next.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn refill(&mut self, batch: &mut Batch) -> Result<(), FeedError> {
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
