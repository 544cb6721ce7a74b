//! A window that is full of what others got through must not wait for one slow order.

use std::sync::Arc;
use std::time::Duration;

use super::Scheduler;
use crate::contracts::{LaneState, Sequence};
use crate::domain::OrderId;

impl Scheduler {
    /// Nothing can be handed out: if that is because the window is full, its oldest open lane is parked. One that is
    /// in flight for a short time only is waited for, and so is one that has no fault by the evidence.
    pub(super) fn relieve_full_window(&mut self, now: Duration) {
        if !self.is_window_full() || self.full_window_until().is_some_and(|until| now < until) {
            return;
        }
        let Some((_, entry)) = self.live.window.front() else { return };
        let order_id = entry.order_id;
        let Some(lane) = self.live.lanes.get(&order_id).filter(|lane| lane.parking == 0 && lane.joining == 0) else {
            return;
        };
        let failures = lane.trouble.as_ref().filter(|trouble| trouble.failures > 0);
        let others_got_through = match failures {
            Some(trouble) => self.delivered > trouble.delivered_at_first,
            None => self.live.window.settled() > 0,
        };
        if others_got_through {
            self.park(order_id, LaneState::Retrying, Arc::from("the window is full and this lane is its oldest"));
        }
    }

    /// Until when the oldest lane of a full window is waited for because its event was handed out a moment ago.
    pub(super) fn full_window_until(&self) -> Option<Duration> {
        let (_, entry) = self.live.window.front().filter(|_| self.is_window_full())?;
        let tag = self.live.lanes.get(&entry.order_id)?.in_flight?;
        let flight = self.in_flight.get(tag)?;
        Some(flight.handed_at.saturating_add(self.limits.answer_max / 10))
    }

    fn is_window_full(&self) -> bool {
        self.live.window.len() >= self.limits.window_events_max
    }

    /// Wants the lane parked with all of its events that were read.
    pub(super) fn park(&mut self, order_id: OrderId, state: LaneState, reason: Arc<str>) {
        let events = self.live.open_events(order_id);
        let Some(first) = events.first().copied() else { return };
        let attempts = self.live.window.get(first).map_or(0, |entry| entry.attempts);
        self.wish_park(order_id, state, events, attempts, reason);
        if let Some(lane) = self.live.lanes.get_mut(&order_id) {
            lane.parking += 1;
        }
    }

    /// Wants later events of a parked lane to join it.
    pub(super) fn join(&mut self, order_id: OrderId, state: LaneState, events: Vec<Sequence>) {
        if events.is_empty() {
            return;
        }
        self.wish_park(order_id, state, events, 0, Arc::from("an earlier event of the order is parked"));
        if let Some(lane) = self.live.lanes.get_mut(&order_id) {
            lane.joining += 1;
        }
    }
}
