//! What the program says of what it was handed.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::{Flight, Lookup};
use super::window::EntryState;
use super::{DeliveryNote, FailureNote, ParkWish, Scheduler, SlowStart, StreamId, Tag};
use crate::contracts::{FailureOutcome, LaneState, Sequence};
use crate::domain::OrderId;

/// A tag that was never sent, or was answered before: the program is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tag {} was never sent or was answered before", .0.0)]
pub struct UnknownTag(pub Tag);

impl Scheduler {
    /// The target has this event for good.
    ///
    /// # Errors
    /// See [`UnknownTag`].
    pub fn delivered(&mut self, tag: Tag, now: Duration) -> Result<(), UnknownTag> {
        let Some(flight) = self.answered(tag)? else { return Ok(()) };
        let took = now.saturating_sub(flight.handed_at);
        self.slow_start.delivered(took, self.limits.answer_max);
        let Flight { stream, order_id, sequence, .. } = flight;
        self.deliveries.push(DeliveryNote { stream, order_id, sequence, took });
        if self.outage.end() {
            self.slow_start = SlowStart::new(self.limits.slow_start_events);
        }
        (self.failures_in_a_row, self.last_error, self.fresh_at) = (0, None, Duration::ZERO);
        self.delivered_total += 1;
        match flight.stream {
            StreamId::Live => self.live_delivered(&flight, now),
            StreamId::Replay(replay_id) => self.replay_delivered(replay_id, &flight),
        }
        Ok(())
    }

    /// This event did not go through, and is tried again later.
    ///
    /// # Errors
    /// See [`UnknownTag`].
    pub fn failed(
        &mut self,
        tag: Tag,
        reason: &Arc<str>,
        retry_after: Option<Duration>,
        now: Duration,
    ) -> Result<(), UnknownTag> {
        let Some(flight) = self.answered(tag)? else { return Ok(()) };
        self.note(Some(&flight), FailureOutcome::Failed, reason);
        let retry_after = retry_after.map(|asked| asked.min(self.limits.retry_after_max));
        match flight.stream {
            StreamId::Live => self.live_failed(&flight, reason, retry_after, now),
            StreamId::Replay(replay_id) => self.replay_failed(replay_id, &flight, retry_after, now),
        }
        self.outage.probe_failed(now);
        Ok(())
    }

    /// This event will never go through: its lane is to be parked.
    ///
    /// # Errors
    /// See [`UnknownTag`].
    pub fn rejected(&mut self, tag: Tag, reason: &Arc<str>, now: Duration) -> Result<(), UnknownTag> {
        let Some(flight) = self.answered(tag)? else { return Ok(()) };
        self.note(Some(&flight), FailureOutcome::Rejected, reason);
        // The target has answered, so the next event may be tried at once; the outage ends when one is delivered.
        self.outage.retry_now(now);
        match flight.stream {
            StreamId::Live => self.live_rejected(&flight, reason),
            StreamId::Replay(replay_id) => self.replay_failed(replay_id, &flight, None, now),
        }
        Ok(())
    }

    /// The target as a whole took nothing of what is unanswered.
    pub fn unavailable(&mut self, reason: &Arc<str>, retry_after: Option<Duration>, blocked: bool, now: Duration) {
        self.detaches.heard();
        self.failures_in_a_row += 1;
        let outcome = if blocked { FailureOutcome::Blocked } else { FailureOutcome::Unavailable };
        self.note(None, outcome, reason);
        for flight in self.in_flight.void_all() {
            self.take_back(&flight);
        }
        self.outage.begin(now, Arc::clone(reason), retry_after, blocked);
    }

    /// A voided or given-up hand-out: the event waits again, as if nobody had been given it.
    pub(super) fn take_back(&mut self, flight: &Flight) {
        match flight.stream {
            StreamId::Live => {
                self.live.landed(flight.order_id);
                self.live.refresh(flight.order_id);
            }
            StreamId::Replay(replay_id) => self.take_back_replay(replay_id, flight),
        }
    }

    pub(super) fn note(&mut self, flight: Option<&Flight>, outcome: FailureOutcome, reason: &Arc<str>) {
        self.last_error = Some(Arc::clone(reason));
        let event = flight.map(|flight| (self.shown_sequence(flight.stream, flight.sequence), flight.order_id));
        let attempt = flight.map_or(0, |flight| flight.attempt);
        self.failures.push(FailureNote { event, attempt, outcome, reason: Arc::clone(reason) });
    }

    fn answered(&mut self, tag: Tag) -> Result<Option<Flight>, UnknownTag> {
        match self.in_flight.answer(tag) {
            Lookup::Waiting(flight) => {
                self.detaches.clear(flight.sequence, flight.order_id);
                self.detaches.heard();
                Ok(Some(flight))
            }
            Lookup::Voided => Ok(None),
            Lookup::Unknown => Err(UnknownTag(tag)),
        }
    }

    fn live_delivered(&mut self, flight: &Flight, now: Duration) {
        let (order_id, sequence) = (flight.order_id, flight.sequence);
        self.delivered += 1;
        self.rejected.clear();
        let parked_sequence = self.shown_sequence(StreamId::Live, sequence);
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        lane.in_flight = None;
        lane.trouble = None;
        let parked = lane.parked.as_mut().and_then(|parked| parked.get_mut(parked_sequence));
        if let Some(event) = parked {
            event.delivered = true;
            self.wishes.delivered(order_id, parked_sequence, now);
        } else {
            match self.live.window.get_mut(sequence) {
                Some(entry) if entry.state == EntryState::Parking => entry.state = EntryState::ParkingDelivered,
                Some(_) | None => self.live.settle(order_id, sequence),
            }
        }
        self.live.refresh(order_id);
        self.pass_skipped();
    }

    fn live_failed(&mut self, flight: &Flight, reason: &Arc<str>, retry_after: Option<Duration>, now: Duration) {
        let order_id = flight.order_id;
        let (session, delivered) = (self.session, self.delivered);
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        lane.in_flight = None;
        let (parked, parking) = (lane.parked.as_ref().map(|parked| parked.state), lane.parking > 0);
        let trouble = lane.trouble_mut();
        trouble.count(session, delivered);
        trouble.waits = trouble.waits.saturating_add(1);
        trouble.alone_detaches = 0;
        trouble.reason = Some(Arc::clone(reason));
        let (failures, waits, evidence) = (trouble.failures, trouble.waits, delivered > trouble.delivered_at_first);
        let wait = retry_after.unwrap_or_else(|| self.lane_wait(waits));
        if let Some(trouble) = self.live.lanes.get_mut(&order_id).and_then(|lane| lane.trouble.as_mut()) {
            trouble.retry_at = Some(now.saturating_add(wait));
        }
        let at_fault = failures >= self.limits.attempts_max && evidence && !parking;
        match parked {
            // It is tried again by itself in any case, and says nothing of the sink.
            Some(LaneState::Retrying | LaneState::Held | LaneState::Rejected) => {}
            Some(LaneState::Requeued) if at_fault => self.change_state(flight, LaneState::Retrying, reason),
            Some(LaneState::Requeued) => {}
            None if at_fault => self.park(order_id, LaneState::Retrying, Arc::clone(reason)),
            None => self.failures_in_a_row += 1,
        }
        self.live.refresh(order_id);
    }

    fn live_rejected(&mut self, flight: &Flight, reason: &Arc<str>) {
        let order_id = flight.order_id;
        let Some(lane) = self.live.lanes.get_mut(&order_id) else { return };
        lane.in_flight = None;
        let trouble = lane.trouble_mut();
        (trouble.reason, trouble.retry_at, trouble.alone_detaches) = (Some(Arc::clone(reason)), None, 0);
        let (is_parked, parking) = (lane.parked.is_some(), lane.parking > 0);
        if is_parked || parking {
            // A lane that is being parked for another reason takes this one a moment later.
            self.change_state(flight, LaneState::Rejected, reason);
        } else {
            self.park(order_id, LaneState::Rejected, Arc::clone(reason));
        }
        self.live.refresh(order_id);
        self.rejected.insert(order_id);
        if self.rejected.len() >= self.limits.rejected_in_a_row_max && !self.halted && !self.halting {
            let count = self.rejected.len();
            self.halt(format!("{count} orders were rejected in a row with nothing delivered in between"));
        }
    }

    /// A parked lane is to be parked for another reason.
    pub(super) fn change_state(&mut self, flight: &Flight, state: LaneState, reason: &Arc<str>) {
        self.wish_park(flight.order_id, state, Vec::new(), flight.attempt, Arc::clone(reason));
        if let Some(lane) = self.live.lanes.get_mut(&flight.order_id) {
            lane.parking += 1;
        }
    }

    pub(super) fn halt(&mut self, reason: String) {
        self.halting = true;
        self.wishes.halt(Arc::from(reason));
    }

    pub(super) fn wish_park(
        &mut self,
        order_id: OrderId,
        state: LaneState,
        events: Vec<Sequence>,
        attempts: u32,
        reason: Arc<str>,
    ) {
        for sequence in &events {
            if let Some(entry) = self.live.window.get_mut(*sequence) {
                entry.state = EntryState::Parking;
            }
        }
        self.wishes.park(ParkWish { order_id, state, events, attempts, reason });
    }
}
