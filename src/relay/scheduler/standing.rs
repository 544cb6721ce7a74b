//! How the sink is, for whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use super::window::EntryState;
use super::{LaneCounts, Scheduler};
use crate::contracts::{EventState, LaneState, Sequence, SinkState};
use crate::domain::OrderId;

/// A scheduler's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the sink is doing, as far as the scheduler knows.
    pub state: SinkState,
    /// Everything up to here is settled; while a snapshot is handed out, the event before the first one after it.
    pub prefix: Sequence,
    /// Settled events after the prefix.
    pub settled_ahead: u64,
    /// Orders of a snapshot that are not settled.
    pub snapshot_left: u64,
    /// Events handed out and not answered.
    pub in_flight: u64,
    /// Parked lanes.
    pub parked_lanes: LaneCounts,
    /// Parked events.
    pub parked_events: u64,
    /// Failures since the last delivery.
    pub failures_in_a_row: u64,
    /// Why the last attempt failed, if nothing was delivered since.
    pub last_error: Option<Arc<str>>,
}

/// Where an event or the first of a lane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStanding {
    /// Where it is.
    pub state: EventState,
    /// How often it was handed out.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: Option<Arc<str>>,
}

/// How the first event of a lane fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStanding {
    /// How often it was handed out.
    pub attempts: u32,
    /// When it is handed out again, by the steady clock.
    pub retry_at: Option<Duration>,
    /// The event that is handed out and not answered.
    pub in_flight: Option<Sequence>,
    /// Why the last attempt failed.
    pub reason: Option<Arc<str>>,
}

impl Scheduler {
    /// How the sink is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let window = &self.live.window;
        Standing {
            state: self.state(),
            prefix: self.snapshot.map_or_else(|| self.prefix(), |snapshot| snapshot.at),
            settled_ahead: if self.snapshot.is_some() { 0 } else { (window.settled() + self.settled.len()) as u64 },
            snapshot_left: self.snapshot_left(),
            in_flight: self.in_flight.len() as u64,
            parked_lanes: self.parked_lanes,
            parked_events: self.parked_events,
            failures_in_a_row: self.failures_in_a_row,
            last_error: self.outage.reason().or_else(|| self.last_error.clone()),
        }
    }

    /// Events delivered since the start, replays among them.
    #[must_use]
    pub const fn delivered_total(&self) -> u64 {
        self.delivered_total
    }

    fn state(&self) -> SinkState {
        let open = self.live.window.len() > self.live.window.settled();
        match () {
            () if self.paused => SinkState::Paused,
            () if self.halted => SinkState::Halted,
            () if self.outage.is_blocked() => SinkState::Blocked,
            () if self.attached.is_none() => SinkState::Waiting,
            () if self.outage.is_down() || (self.failures_in_a_row > 0 && open) => SinkState::Retrying,
            () if open || !self.in_flight.is_empty() => SinkState::Delivering,
            () => SinkState::Idle,
        }
    }

    /// Where a live event is.
    #[must_use]
    pub fn event(&self, sequence: Sequence) -> EventStanding {
        let pending = EventStanding { state: EventState::Pending, attempts: 0, reason: None };
        if self.snapshot.is_some() {
            return pending;
        }
        if sequence <= self.prefix() || self.settled.contains(&sequence) {
            return EventStanding { state: EventState::Settled, ..pending };
        }
        let Some(entry) = self.live.window.get(sequence) else { return pending };
        let lane = self.live.lanes.get(&entry.order_id);
        let flight = lane.and_then(|lane| lane.in_flight).and_then(|tag| self.in_flight.get(tag));
        let state = match entry.state {
            EntryState::Settled => EventState::Settled,
            _ if flight.is_some_and(|flight| flight.sequence == sequence) => EventState::InFlight,
            EntryState::Open | EntryState::Parking | EntryState::ParkingDelivered => EventState::Pending,
        };
        let first = lane.is_some_and(|lane| lane.first == sequence);
        let reason = lane.filter(|_| first).and_then(|lane| lane.trouble.as_ref()).and_then(|t| t.reason.clone());
        EventStanding { state, attempts: entry.attempts, reason }
    }

    /// How the first event of a lane fares; `None` if nothing is known of the order.
    #[must_use]
    pub fn lane(&self, order_id: OrderId) -> Option<LaneStanding> {
        let lane = self.live.lanes.get(&order_id)?;
        let parked = lane.parked.as_ref().and_then(|parked| parked.next());
        let streamed = self.live.window.get(lane.first).map(|entry| entry.attempts);
        let flight = lane.in_flight.and_then(|tag| self.in_flight.get(tag));
        Some(LaneStanding {
            attempts: parked.map(|event| event.attempts).or(streamed).unwrap_or(0),
            retry_at: lane.retry_at(),
            in_flight: flight.map(|flight| self.shown_sequence(flight.stream, flight.sequence)),
            reason: lane.trouble.as_ref().and_then(|trouble| trouble.reason.clone()),
        })
    }

    /// The state of a parked lane.
    #[must_use]
    pub fn lane_state(&self, order_id: OrderId) -> Option<LaneState> {
        self.live.lanes.get(&order_id).and_then(|lane| lane.parked.as_ref()).map(|parked| parked.state)
    }
}
