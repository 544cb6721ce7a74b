//! Programs come and go.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::Flight;
use super::{InFlight, Scheduler, SlowStart, StreamId};
use crate::contracts::{FailureOutcome, LaneState};

impl Scheduler {
    /// A program is attached, and wants at most `in_flight_max` events unanswered. Failure counts and tags begin again;
    /// an outage outlives it.
    pub fn attach(&mut self, in_flight_max: usize) {
        self.session += 1;
        self.in_flight = InFlight::default();
        self.slow_start = SlowStart::new(self.limits.slow_start_events);
        self.attached = Some(in_flight_max.clamp(1, self.limits.in_flight_max));
    }

    /// Whether a program is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// The program is gone, for this reason: what it had not answered waits again.
    pub fn detach(&mut self, reason: &Arc<str>, now: Duration) {
        if self.attached.take().is_none() {
            return;
        }
        let flights = self.in_flight.reset();
        let unanswered = flights.iter().map(|flight| (flight.sequence, flight.order_id));
        self.detaches.detached(unanswered, self.limits.detaches_in_a_row_max);
        for flight in &flights {
            self.note(Some(flight), FailureOutcome::Detached, reason);
            self.take_back(flight);
            self.delay_parked(flight, now);
        }
        if let [alone] = flights.as_slice() {
            self.count_alone(alone);
        }
    }

    /// What was parked before and goes out again waits a little, so that it does not take down the next program, too.
    fn delay_parked(&mut self, flight: &Flight, now: Duration) {
        let Some(lane) = self.live.lanes.get_mut(&flight.order_id).filter(|_| flight.stream == StreamId::Live) else {
            return;
        };
        if lane.parked.is_none() {
            return;
        }
        let trouble = lane.trouble_mut();
        trouble.waits = trouble.waits.saturating_add(1);
        let waits = trouble.waits;
        let wait = self.lane_wait(waits);
        if let Some(trouble) = self.live.lanes.get_mut(&flight.order_id).and_then(|lane| lane.trouble.as_mut()) {
            trouble.retry_at = Some(now.saturating_add(wait));
        }
        self.live.refresh(flight.order_id);
    }

    /// An event that is alone in flight at detach after detach is what makes the program go away.
    fn count_alone(&mut self, flight: &Flight) {
        let attempts_max = self.limits.attempts_max;
        if let StreamId::Replay(replay_id) = flight.stream {
            self.replay_alone(replay_id, flight);
            return;
        }
        let Some(lane) = self.live.lanes.get_mut(&flight.order_id) else { return };
        let parking = lane.parking > 0;
        let trouble = lane.trouble_mut();
        trouble.alone_detaches = trouble.alone_detaches.saturating_add(1);
        if trouble.alone_detaches < attempts_max || parking {
            return;
        }
        trouble.alone_detaches = 0;
        let reason = Arc::from("programs detach whenever they are handed this event");
        trouble.reason = Some(Arc::clone(&reason));
        let state = lane.parked.as_ref().map(|parked| parked.state);
        self.detaches.clear(flight.sequence, flight.order_id);
        match state {
            None => self.park(flight.order_id, LaneState::Retrying, reason),
            Some(LaneState::Requeued) => self.change_state(flight, LaneState::Retrying, &reason),
            Some(LaneState::Retrying | LaneState::Rejected | LaneState::Held) => {}
        }
    }
}
