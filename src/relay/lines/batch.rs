//! The events that are offered to a sink together.

use crate::contracts::{Delivery, EventFeed, FeedError, FeedPosition, Held, PublishedEvent, Sequence};
use crate::domain::Timestamp;
use crate::relay::cloud_event;

/// Events that are read at most for one batch, wanted or not.
const READ_MAX: u64 = 10_000;

/// Rendered once, and offered as it is until the sink takes it.
#[derive(Debug)]
pub struct Batch {
    events_max: usize,
    bytes_max: usize,
    lines: Vec<u8>,
    scratch: Vec<PublishedEvent>,
    events: usize,
    end: FeedPosition,
    oldest: Option<Timestamp>,
}

impl Batch {
    /// An empty batch that follows `end`.
    #[must_use]
    pub fn new(events_max: usize, bytes_max: usize, end: FeedPosition) -> Self {
        Self {
            events_max: events_max.max(1),
            bytes_max,
            lines: Vec::new(),
            scratch: Vec::new(),
            events: 0,
            end,
            oldest: None,
        }
    }

    /// Whether there is nothing to offer.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// How many events there are.
    #[must_use]
    pub const fn events(&self) -> usize {
        self.events
    }

    /// The first event, if there is one.
    #[must_use]
    pub fn first(&self) -> Option<Sequence> {
        (self.events > 0).then(|| self.delivery().first)
    }

    /// Where the last one stands.
    #[must_use]
    pub const fn end(&self) -> FeedPosition {
        self.end
    }

    /// When the first of them happened.
    #[must_use]
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// The sink holds this much of it already.
    pub fn drop_held(&mut self, held: Held) {
        self.lines.drain(..held.bytes.min(self.lines.len()));
        self.events = self.events.saturating_sub(held.events);
    }

    /// Goes on after `end`, whatever it held.
    pub fn restart(&mut self, end: FeedPosition) {
        self.clear();
        self.end = end;
    }

    /// The sink has taken it.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.events = 0;
        self.oldest = None;
    }

    /// What the sink is offered.
    #[must_use]
    pub fn delivery(&self) -> Delivery<'_> {
        let last = self.end.sequence;
        let before_first = last.since(Sequence(self.events as u64));
        Delivery { lines: &self.lines, events: self.events, first: Sequence(before_first).next(), last }
    }

    /// Takes in durable events up to its limits, after the ones of the batch before; those that are not wanted are
    /// passed, and `end` tells how far. It may then be empty although there is more to read.
    ///
    /// # Errors
    /// The outbox cannot be read, or does not go on where it was left.
    pub fn refill(
        &mut self,
        reader: &mut dyn EventFeed,
        is_wanted: impl Fn(&PublishedEvent) -> bool,
    ) -> Result<(), FeedError> {
        self.clear();
        let (before, read_max) = (self.end.sequence, READ_MAX.max(self.events_max as u64));
        while self.events < self.events_max && self.end.sequence.since(before) < read_max {
            // No more at once than will certainly fit, so that bytes_max holds; but always one.
            let fitting = self.bytes_max.saturating_sub(self.lines.len()) / cloud_event::BYTES_MAX;
            if fitting == 0 && self.events > 0 {
                break;
            }
            self.scratch.clear();
            reader.read(fitting.clamp(1, self.events_max - self.events), &mut self.scratch)?;
            if self.scratch.is_empty() {
                break;
            }
            self.take_scratch(reader, &is_wanted)?;
        }
        Ok(())
    }

    fn take_scratch(
        &mut self,
        reader: &dyn EventFeed,
        is_wanted: impl Fn(&PublishedEvent) -> bool,
    ) -> Result<(), FeedError> {
        let mut expected = self.end.sequence;
        for event in &self.scratch {
            expected = expected.next();
            if event.sequence != reader.carried().unwrap_or(expected) {
                return Err(out_of_order(expected, event.sequence));
            }
            if is_wanted(event) {
                cloud_event::render(event, &mut self.lines).map_err(std::io::Error::from)?;
                self.lines.push(b'\n');
                self.events += 1;
            }
        }
        let end = reader.position();
        if end.sequence != expected || end.sequence > reader.durable_sequence() {
            return Err(out_of_order(expected, end.sequence));
        }
        // That an order was changed long ago makes no lag.
        let first = self.scratch.first().filter(|_| reader.carried().is_none());
        self.oldest = self.oldest.or_else(|| first.map(|first| first.entry.event.occurred_at()));
        self.end = end;
        Ok(())
    }
}

fn out_of_order(expected: Sequence, found: Sequence) -> FeedError {
    FeedError::Damaged(format!("event {expected} should be next, and event {found} is"))
}
