//! One order's events at one sink.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::in_flight::Tag;
use crate::contracts::{LaneState, Sequence};

/// What is known of an order that has open events in the window, or a parked lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The oldest open event in the window; zero for none. The rest is chained through the window.
    pub(super) first: Sequence,
    /// The newest open event in the window.
    pub(super) last: Sequence,
    /// The order's row in the snapshot that is handed out, where that was told.
    pub(super) row: Option<Sequence>,
    /// The one event that is handed out and not answered.
    pub(super) in_flight: Option<Tag>,
    /// Decisions that park it, or change why it is parked, and are not durable yet.
    pub(super) parking: u32,
    /// Decisions that add events to it, having been parked before, and are not durable yet.
    pub(super) joining: u32,
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) parked: Option<Box<Parked>>,
}

/// What went wrong with the lane's first event.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Which attach the failures were counted in: they begin again at each.
    pub(super) session: u64,
    pub(super) failures: u32,
    /// Events that the sink had taken when the first of the failures came.
    pub(super) delivered_at_first: u64,
    /// Waits since the last success; the back-off grows with it.
    pub(super) waits: u32,
    pub(super) retry_at: Option<Duration>,
    /// Detaches at which it was alone in flight.
    pub(super) alone_detaches: u32,
    pub(super) reason: Option<Arc<str>>,
}

/// A parked lane.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) state: LaneState,
    /// Oldest first.
    pub(super) events: VecDeque<ParkedEvent>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ParkedEvent {
    pub(super) sequence: Sequence,
    pub(super) bytes: u32,
    pub(super) attempts: u32,
    /// It got through; the decision that says so is not durable yet.
    pub(super) delivered: bool,
}

/// The event of a lane that is to be handed out next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sequence: Sequence,
    pub(super) bytes: u32,
    pub(super) parked: bool,
}

impl Lane {
    /// Whether nothing is left to remember.
    pub(super) fn is_over(&self) -> bool {
        let undecided = self.parking > 0 || self.joining > 0;
        self.first == Sequence::ZERO && self.parked.is_none() && !undecided && self.in_flight.is_none()
    }

    /// The parked event that may be handed out next, whether or not it waits for a back-off.
    pub(super) fn parked_head(&self) -> Option<Head> {
        let parked = self.parked.as_ref()?;
        let goes_on = match parked.state {
            LaneState::Retrying | LaneState::Requeued => true,
            LaneState::Rejected | LaneState::Held => false,
        };
        let event = parked.next().filter(|_| goes_on)?;
        Some(Head { sequence: event.sequence, bytes: event.bytes, parked: true })
    }

    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.trouble.as_ref().and_then(|trouble| trouble.retry_at)
    }

    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

impl Trouble {
    /// Counts a failure in the attach `session`, when the sink had taken `delivered` events.
    pub(super) const fn count(&mut self, session: u64, delivered: u64) {
        if self.session != session || self.failures == 0 {
            self.session = session;
            self.failures = 0;
            self.delivered_at_first = delivered;
        }
        self.failures = self.failures.saturating_add(1);
    }
}

impl Parked {
    /// The first event that did not get through.
    pub(super) fn next(&self) -> Option<&ParkedEvent> {
        self.events.iter().find(|event| !event.delivered)
    }

    pub(super) fn get_mut(&mut self, sequence: Sequence) -> Option<&mut ParkedEvent> {
        self.events.iter_mut().find(|event| event.sequence == sequence)
    }

    /// Whether it is known to be parked or settled before: a lane's events leave the stream from the oldest on.
    pub(super) fn covers(&self, sequence: Sequence) -> bool {
        self.events.back().is_some_and(|last| sequence <= last.sequence)
    }

    /// Takes an event out, for good; gives its bytes.
    pub(super) fn remove(&mut self, sequence: Sequence) -> Option<u32> {
        let at = self.events.iter().position(|event| event.sequence == sequence)?;
        self.events.remove(at).map(|event| event.bytes)
    }
}
