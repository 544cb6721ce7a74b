//! What was handed out on the present connection, by tag.

use std::collections::VecDeque;
use std::time::Duration;

use super::StreamId;
use crate::contracts::Sequence;
use crate::domain::OrderId;

/// Numbers the hand-outs of one connection, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// An event that was handed out and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) tag: Tag,
    pub(super) stream: StreamId,
    pub(super) order_id: OrderId,
    pub(super) sequence: Sequence,
    pub(super) bytes: u32,
    pub(super) attempt: u32,
    pub(super) handed_at: Duration,
}

/// What a tag stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// An event that waits for its answer; it is taken out.
    Waiting(Flight),
    /// It counts for nothing any more.
    Voided,
    /// It was never sent, or was answered before.
    Unknown,
}

/// Voided tags that are remembered one by one; an older one is not told from an answered one, and is ignored.
const VOIDED_MAX: usize = 65_536;

/// The unanswered events of one connection.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Consecutive tags from the oldest unanswered one on; `None` where the answer came or does not count.
    flights: VecDeque<Option<Flight>>,
    last_tag: u64,
    waiting: usize,
    bytes: usize,
    /// Ascending.
    voided: VecDeque<u64>,
    /// Tags up to here may have been voided without being remembered.
    forgotten: u64,
}

impl InFlight {
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The tag that the next hand-out gets.
    pub(super) const fn next_tag(&self) -> Tag {
        Tag(self.last_tag + 1)
    }

    pub(super) fn add(&mut self, flight: Flight) {
        self.last_tag = flight.tag.0;
        self.waiting += 1;
        self.bytes += flight.bytes as usize;
        self.flights.push_back(Some(flight));
    }

    /// The one that waits longest for its answer.
    pub(super) fn oldest(&self) -> Option<&Flight> {
        self.flights.front().and_then(Option::as_ref)
    }

    pub(super) fn get(&self, tag: Tag) -> Option<&Flight> {
        self.flights.get(self.index_of(tag)?).and_then(Option::as_ref)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().flatten()
    }

    /// Everything of one stream that is unanswered has this number from here on.
    pub(super) fn renumber(&mut self, stream: StreamId, sequence: Sequence) {
        for flight in self.flights.iter_mut().flatten().filter(|flight| flight.stream == stream) {
            flight.sequence = sequence;
        }
    }

    /// An answer came for this tag.
    pub(super) fn answer(&mut self, tag: Tag) -> Lookup {
        if let Some(flight) = self.take(tag) {
            return Lookup::Waiting(flight);
        }
        if self.voided.binary_search(&tag.0).is_ok() || (1..=self.forgotten).contains(&tag.0) {
            return Lookup::Voided;
        }
        Lookup::Unknown
    }

    /// One tag counts for nothing any more.
    pub(super) fn void(&mut self, tag: Tag) {
        if self.take(tag).is_some() {
            let at = self.voided.partition_point(|voided| *voided < tag.0);
            self.voided.insert(at, tag.0);
            while self.voided.len() > VOIDED_MAX {
                self.forgotten = self.voided.pop_front().unwrap_or(self.forgotten);
            }
        }
    }

    /// Every unanswered tag counts for nothing any more; gives what they stood for, oldest first.
    pub(super) fn void_all(&mut self) -> Vec<Flight> {
        let flights: Vec<Flight> = self.iter().copied().collect();
        for flight in &flights {
            self.void(flight.tag);
        }
        flights
    }

    /// The connection is gone, and with it all tags.
    pub(super) fn reset(&mut self) -> Vec<Flight> {
        let flights = self.iter().copied().collect();
        *self = Self::default();
        flights
    }

    fn take(&mut self, tag: Tag) -> Option<Flight> {
        let index = self.index_of(tag)?;
        let flight = self.flights.get_mut(index)?.take()?;
        self.waiting -= 1;
        self.bytes -= flight.bytes as usize;
        while self.flights.front().is_some_and(Option::is_none) {
            self.flights.pop_front();
        }
        Some(flight)
    }

    fn index_of(&self, tag: Tag) -> Option<usize> {
        let first = self.last_tag.checked_sub(self.flights.len() as u64)?.checked_add(1)?;
        usize::try_from(tag.0.checked_sub(first)?).ok()
    }
}
