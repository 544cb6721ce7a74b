//! What is durably decided is acted on here, and nowhere before.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::Flight;
use super::lane::{Parked, ParkedEvent};
use super::window::EntryState;
use super::{Scheduler, Sequence};
use crate::contracts::LaneState;
use crate::domain::OrderId;

impl Scheduler {
    /// Events of an order are parked, or a parked lane has another state. `own` tells whether this scheduler had
    /// wished for it.
    pub fn parked(
        &mut self,
        order_id: OrderId,
        state: LaneState,
        reason: &Arc<str>,
        events: &[(Sequence, u32)],
        own: bool,
        now: Duration,
    ) {
        let lane = self.live.lanes.entry(order_id).or_default();
        let before = lane.parked.as_ref().map(|parked| parked.state);
        let state = state.onto(before);
        let joined = own && !events.is_empty() && lane.joining > 0 && (before.is_some() || lane.parking == 0);
        if joined {
            lane.joining -= 1;
        } else if own {
            lane.parking = lane.parking.saturating_sub(1);
        }
        if events.is_empty() && before.is_none() {
            self.live.refresh(order_id);
            return;
        }
        self.parked_lanes.change(before, Some(state));
        lane.parked
            .get_or_insert_with(|| Box::new(Parked { state, events: std::collections::VecDeque::new() }))
            .state = state;
        let grown = events.iter().filter(|(sequence, bytes)| self.park_event(order_id, *sequence, *bytes, now)).count();
        self.settle_trouble(order_id, state, reason, before.is_some(), now);
        if joined && before != Some(state) {
            // An operator was faster: the lane is no longer what it was when its event was sent to join it.
            let state = before.unwrap_or(LaneState::Requeued);
            self.wish_park(order_id, state, Vec::new(), 0, Arc::clone(reason));
            if let Some(lane) = self.live.lanes.get_mut(&order_id) {
                lane.parking += 1;
            }
        }
        self.join(order_id, state, self.live.open_events(order_id));
        self.live.refresh(order_id);
        self.pass_skipped();
        if grown > 0 {
            self.halt_if_too_much();
        }
    }

    /// Parked events got through: they leave their lanes.
    pub fn delivered_durably(&mut self, events: &[(OrderId, Sequence)]) {
        for (order_id, sequence) in events {
            self.unpark(*order_id, *sequence);
            self.live.refresh(*order_id);
        }
    }

    /// An operator wants a parked lane to be handed out again.
    pub fn requeued(&mut self, order_id: OrderId) {
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        let Some(parked) = lane.parked.as_mut() else { return };
        self.parked_lanes.change(Some(parked.state), Some(LaneState::Requeued));
        parked.state = LaneState::Requeued;
        if let Some(trouble) = &mut lane.trouble {
            (trouble.failures, trouble.waits, trouble.retry_at, trouble.alone_detaches) = (0, 0, None, 0);
        }
        self.live.refresh(order_id);
    }

    /// The first event of a parked lane is passed over for good; the lane goes on after it, unless it is held.
    pub fn lane_skipped(&mut self, order_id: OrderId, sequence: Sequence) {
        self.void_flight_of(order_id, Some(sequence));
        self.wishes.forget_delivered(order_id, sequence);
        self.unpark(order_id, sequence);
        if let Some(lane) = self.live.lanes.get_mut(&order_id) {
            lane.trouble = None;
            if let Some(parked) = lane.parked.as_mut().filter(|parked| parked.state != LaneState::Held) {
                self.parked_lanes.change(Some(parked.state), Some(LaneState::Requeued));
                parked.state = LaneState::Requeued;
            }
        }
        self.live.refresh(order_id);
    }

    /// Everything from `from` to `to` that is not parked or delivered is passed over for good.
    pub fn range_skipped(&mut self, from: Sequence, to: Sequence) {
        if self.snapshot.is_some() {
            self.skips.push((from, to));
            if self.passes_snapshot() {
                self.skip_snapshot();
            }
            self.pass_skipped();
            return;
        }
        if to <= self.prefix() {
            return;
        }
        self.skips.push((from, to));
        let mut sequence = from.max(self.prefix().next());
        let last = to.min(self.live.window.last());
        while sequence <= last {
            if let Some(entry) = self.live.window.get(sequence).filter(|entry| entry.state == EntryState::Open) {
                let order_id = entry.order_id;
                self.skip_open(order_id, sequence);
            }
            sequence = sequence.next();
        }
        self.settled.retain(|settled| *settled > to);
        self.pass_skipped();
    }

    /// An open event of the window is passed over for good.
    pub(super) fn skip_open(&mut self, order_id: OrderId, sequence: Sequence) {
        self.void_flight_of(order_id, Some(sequence));
        self.detaches.clear(sequence, order_id);
        self.live.settle(order_id, sequence);
        self.live.refresh(order_id);
    }

    /// An operator has paused the sink.
    pub const fn paused(&mut self) {
        self.paused = true;
    }

    /// An operator lets the sink go on, also after a halt.
    pub fn resumed(&mut self) {
        (self.paused, self.halted, self.halting) = (false, false, false);
        self.rejected.clear();
    }

    /// Too much is parked.
    pub const fn halted(&mut self) {
        (self.halted, self.halting) = (true, false);
    }

    /// An operator wants every back-off to end now.
    pub fn retry_now(&mut self, now: Duration) {
        self.outage.retry_now(now);
        self.live.end_all_backoffs();
        self.end_replay_backoffs();
        self.fresh_at = Duration::ZERO;
    }

    /// Takes one event into a lane that is parked; `false` if it is there already.
    fn park_event(&mut self, order_id: OrderId, sequence: Sequence, bytes: u32, now: Duration) -> bool {
        let place = self.place_of(sequence, self.row_of(order_id));
        let entry = place.and_then(|place| self.live.window.get(place)).copied();
        let passed = place.is_some_and(|place| place <= self.prefix());
        let delivered = match entry.map(|entry| entry.state) {
            Some(EntryState::Settled | EntryState::ParkingDelivered) => true,
            Some(EntryState::Open | EntryState::Parking) => false,
            None => passed,
        };
        let Some(parked) = self.live.lanes.get_mut(&order_id).and_then(|lane| lane.parked.as_mut()) else {
            return false;
        };
        let known = parked.covers(sequence);
        if !known {
            let attempts = entry.map_or(0, |entry| entry.attempts);
            parked.events.push_back(ParkedEvent { sequence, bytes, attempts, delivered });
            self.parked_events += 1;
            self.parked_bytes += u64::from(bytes);
            if delivered {
                self.wishes.delivered(order_id, sequence, now);
            }
        }
        if let Some(place) = place {
            self.detaches.clear(place, order_id);
            self.live.settle(order_id, place);
        }
        self.settle_unread(sequence, place);
        !known
    }

    /// A parked event that was not read yet counts as settled, and is passed when it is read.
    pub(super) fn settle_unread(&mut self, sequence: Sequence, place: Option<Sequence>) {
        match place {
            Some(place) if place > self.live.window.last() => {
                self.settled.insert(place);
            }
            None if self.snapshot.is_some_and(|snapshot| sequence > snapshot.at) => {
                self.settled_after.insert(sequence);
            }
            Some(_) | None => {}
        }
    }

    fn settle_trouble(
        &mut self,
        order_id: OrderId,
        state: LaneState,
        reason: &Arc<str>,
        was_parked: bool,
        now: Duration,
    ) {
        let waits = self.live.lanes.get(&order_id).and_then(|lane| lane.trouble.as_ref()).map_or(0, |t| t.waits);
        let wait = self.lane_wait(waits.saturating_add(1));
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        let trouble = lane.trouble_mut();
        match state {
            LaneState::Retrying if !was_parked => {
                trouble.retry_at = trouble.retry_at.or_else(|| Some(now.saturating_add(wait)));
                trouble.reason = Some(Arc::clone(reason));
            }
            LaneState::Retrying | LaneState::Requeued => {}
            LaneState::Rejected | LaneState::Held => trouble.retry_at = None,
        }
    }

    fn unpark(&mut self, order_id: OrderId, sequence: Sequence) {
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        let Some(parked) = lane.parked.as_mut() else { return };
        if let Some(bytes) = parked.remove(sequence) {
            self.parked_events = self.parked_events.saturating_sub(1);
            self.parked_bytes = self.parked_bytes.saturating_sub(u64::from(bytes));
        }
        if parked.events.is_empty() {
            let state = parked.state;
            lane.parked = None;
            self.parked_lanes.change(Some(state), None);
        }
    }

    /// What the lane has in flight counts for nothing any more, if it is this event.
    fn void_flight_of(&mut self, order_id: OrderId, sequence: Option<Sequence>) {
        let Some(tag) = self.live.lanes.get(&order_id).and_then(|lane| lane.in_flight) else { return };
        let flight = self.in_flight.get(tag).copied();
        let is_it = |flight: &Flight, sequence| {
            flight.sequence == sequence || self.shown_sequence(flight.stream, flight.sequence) == sequence
        };
        if let Some(flight) = flight.filter(|flight| sequence.is_none_or(|sequence| is_it(flight, sequence))) {
            self.in_flight.void(tag);
            self.live.landed(flight.order_id);
        }
    }

    fn halt_if_too_much(&mut self) {
        if self.halted || self.halting {
            return;
        }
        let (events, bytes) = (self.parked_events, self.parked_bytes);
        if events >= self.limits.parked_events_max || bytes >= self.limits.parked_bytes_max {
            self.halt(format!("{events} events of {bytes} bytes are parked, as much as may be"));
        }
    }
}
