//! What is in the window: the events themselves as far as there is room, and where each plan ends.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::contracts::{EventFeed, EventHistory, FeedError, FeedPosition, PublishedEvent, Sequence};

/// How reading came to its end for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Nothing more is durable.
    End,
    /// The scheduler wants no more at present.
    Enough,
    /// Others have their turn.
    More,
}

/// One event of the window.
struct Item {
    /// The event, if there was room for it.
    event: Option<Arc<PublishedEvent>>,
    bytes: usize,
    /// Where its plan ends, if it is the last of its plan.
    end: Option<FeedPosition>,
}

/// Reads the feed, and keeps what was read until the prefix has passed it.
pub(super) struct Content {
    history: Arc<dyn EventHistory>,
    /// `None` after an error, until it is opened again.
    feed: Option<Box<dyn EventFeed>>,
    /// After the plan that ends last before the items.
    base: FeedPosition,
    /// Events after `base`, without gaps.
    items: VecDeque<Item>,
    /// What the items may hold in memory.
    bytes_max: usize,
    bytes: usize,
    scratch: Vec<PublishedEvent>,
}

impl Content {
    /// Goes on after `base`.
    pub(super) fn new(history: Arc<dyn EventHistory>, base: FeedPosition, bytes_max: usize) -> Self {
        let scratch = Vec::new();
        Self { history, feed: None, base, items: VecDeque::new(), bytes_max, bytes: 0, scratch }
    }

    /// The position to save: as far as whole plans go, nothing after it is let go of.
    pub(super) const fn base(&self) -> FeedPosition {
        self.base
    }

    /// Reads the next plan with events, and passes over the ones without; gives its events, none if no more are durable.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn read(&mut self) -> Result<Vec<Arc<PublishedEvent>>, FeedError> {
        let mut feed = match self.feed.take() {
            Some(feed) => feed,
            None => self.open()?,
        };
        self.scratch.clear();
        feed.read(1, &mut self.scratch)?;
        let end = feed.position();
        self.feed = Some(feed);
        let count = self.scratch.len();
        if count == 0 {
            match self.items.back_mut() {
                Some(last) => last.end = Some(end),
                None => self.base = end,
            }
        }
        let mut events = Vec::with_capacity(count);
        for (at, event) in (1..).zip(self.scratch.drain(..)) {
            let expected = self.base.sequence.plus(self.items.len() as u64).next();
            if event.sequence != expected {
                let problem = format!("event {expected} should be next, and event {} is", event.sequence);
                return Err(FeedError::Damaged(problem));
            }
            let bytes = size_of::<PublishedEvent>() + crate::relay::cloud_event::size_of(&event);
            let event = Arc::new(event);
            let fits = self.bytes + bytes <= self.bytes_max;
            self.bytes += if fits { bytes } else { 0 };
            let kept = fits.then(|| Arc::clone(&event));
            self.items.push_back(Item { event: kept, bytes, end: (at == count).then_some(end) });
            events.push(event);
        }
        Ok(events)
    }

    fn open(&self) -> Result<Box<dyn EventFeed>, FeedError> {
        self.history.open_at(self.items.iter().rev().find_map(|item| item.end).unwrap_or(self.base))
    }

    /// Everything up to `prefix` is settled.
    pub(super) fn release(&mut self, prefix: Sequence) {
        while self.items.front().is_some() && self.base_of_front() <= prefix {
            // A plan goes as a whole: the position after it is the one that is saved.
            let Some(count) = self.items.iter().position(|item| item.end.is_some()) else { return };
            if self.base.sequence.plus(count as u64 + 1) > prefix {
                return;
            }
            for item in self.items.drain(..=count) {
                self.bytes -= if item.event.is_some() { item.bytes } else { 0 };
                self.base = item.end.unwrap_or(self.base);
            }
        }
    }

    fn base_of_front(&self) -> Sequence {
        self.base.sequence.next()
    }

    /// Goes on after `sequence`, which is after everything that was read; also the way out of what cannot be read.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn jump(&mut self, sequence: Sequence) -> Result<(), FeedError> {
        let feed = self.history.open_after(sequence)?;
        self.base = feed.position();
        self.feed = Some(feed);
        self.items.clear();
        self.bytes = 0;
        Ok(())
    }

    /// An event of the window, read again if there was no room for it.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub(super) fn get(&self, sequence: Sequence) -> Result<Arc<PublishedEvent>, FeedError> {
        let index = sequence.0.checked_sub(self.base_of_front().0).and_then(|index| usize::try_from(index).ok());
        let before = index.unwrap_or(0).min(self.items.len());
        if let Some(event) = index.and_then(|index| self.items.get(index)).and_then(|item| item.event.as_ref()) {
            return Ok(Arc::clone(event));
        }
        let plan_before = self.items.range(..before).rev().find_map(|item| item.end).unwrap_or(self.base);
        let mut feed = self.history.open_at(plan_before)?;
        let mut events = Vec::new();
        feed.read(1, &mut events)?;
        let event = events.into_iter().find(|event| event.sequence == sequence);
        event.map(Arc::new).ok_or_else(|| FeedError::Damaged(format!("event {sequence} is not where it was")))
    }

    /// An event of the window, if it is kept.
    pub(super) fn kept(&self, sequence: Sequence) -> Option<&Arc<PublishedEvent>> {
        let index = usize::try_from(sequence.0.checked_sub(self.base_of_front().0)?).ok()?;
        self.items.get(index).and_then(|item| item.event.as_ref())
    }

    /// The event that is read next.
    pub(super) fn next(&self) -> Sequence {
        self.base.sequence.plus(self.items.len() as u64).next()
    }

    /// Whether there is no event that is durable and not settled.
    pub(super) fn is_at_end(&self) -> bool {
        self.items.is_empty() && self.next() > self.durable_sequence()
    }

    /// The last event that is durable.
    pub(super) fn durable_sequence(&self) -> Sequence {
        self.history.last_sequence()
    }
}
