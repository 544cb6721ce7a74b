//! Ranges that are handed out again beside the live events: lanes of their own, and nothing is parked.

use std::time::Duration;

use uuid::Uuid;

use super::in_flight::{Flight, Tag};
use super::lane::Head;
use super::replay::{Replay, ReplayFigures};
use super::stream::{Allowed, Stream};
use super::{Scheduler, StreamId};
use crate::contracts::Sequence;
use crate::domain::OrderId;
use crate::relay::rate::Rate;

impl Scheduler {
    /// Begins a replay, or goes on with one as `stored` says, up to the event `to`.
    pub fn start_replay(&mut self, id: Uuid, stored: ReplayFigures, to: Sequence, rate_events_per_s_max: u32) {
        let ReplayFigures { prefix, settled, delivered, failed } = stored;
        let stream = Stream::new(prefix);
        let rate = Rate::new(Some(rate_events_per_s_max));
        let settled = settled.into_iter().collect();
        self.replays.push(Replay { id, stream, rate, to, settled, delivered, failed });
    }

    /// Ends a replay; what it has in flight counts for nothing.
    pub fn end_replay(&mut self, id: Uuid) {
        let stream = StreamId::Replay(id);
        let tags: Vec<Tag> =
            self.in_flight.iter().filter(|flight| flight.stream == stream).map(|flight| flight.tag).collect();
        for tag in tags {
            self.in_flight.void(tag);
        }
        self.replays.retain(|replay| replay.id != id);
    }

    /// The event that a replay reads next, and how many it may take in now; `None` if it has read all of them.
    #[must_use]
    pub fn replay_wanted(&self, id: Uuid) -> Option<(Sequence, usize)> {
        let replay = self.find_replay(id)?;
        let next = replay.stream.window.last().next();
        let in_flight_max = self.attached.unwrap_or(0);
        let room = self.limits.window_events_max.saturating_sub(replay.stream.window.len());
        let wanted = room.min(in_flight_max.saturating_sub(replay.stream.fresh_len()));
        (next <= replay.to).then_some((next, wanted))
    }

    /// Takes in the event that the replay is to read next; `left_out` if it is not wanted.
    pub fn push_replay(&mut self, id: Uuid, order_id: OrderId, bytes: u32, left_out: bool) {
        let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) else { return };
        let sequence = replay.stream.window.last().next();
        let settled = replay.settled.remove(&sequence);
        replay.stream.push(order_id, bytes, settled || left_out);
    }

    /// How far a replay is.
    #[must_use]
    pub fn replay_figures(&self, id: Uuid) -> Option<ReplayFigures> {
        let replay = self.find_replay(id)?;
        let prefix = replay.stream.window.prefix();
        let bits = replay.stream.window.settled_bits();
        let ahead = (1..).zip(bits).filter(|(_, settled)| *settled).map(|(at, _)| prefix.plus(at));
        let settled = ahead.chain(replay.settled.iter().copied()).collect();
        Some(ReplayFigures { prefix, settled, delivered: replay.delivered, failed: replay.failed })
    }

    /// Whether all of a replay is settled.
    #[must_use]
    pub fn is_replay_done(&self, id: Uuid) -> bool {
        self.find_replay(id).is_some_and(|replay| replay.stream.window.prefix() >= replay.to)
    }

    fn find_replay(&self, id: Uuid) -> Option<&Replay> {
        self.replays.iter().find(|replay| replay.id == id)
    }

    pub(super) fn replay_candidate(&mut self, now: Duration) -> Option<(StreamId, OrderId, Head)> {
        if self.halted || self.halting {
            return None;
        }
        let found = self.replays.iter_mut().enumerate().find_map(|(index, replay)| {
            replay.stream.end_backoffs(now);
            if replay.rate.wait_until(now).is_some() {
                return None;
            }
            let (order_id, head) = replay.stream.candidate(Allowed { waiting: true, fresh: true })?;
            Some((index, StreamId::Replay(replay.id), order_id, head))
        });
        let (index, stream, order_id, head) = found?;
        // The next time the ones after it come first.
        self.replays.rotate_left(index + 1);
        Some((stream, order_id, head))
    }

    pub(super) fn hand_out_replay(&mut self, id: Uuid, order_id: OrderId, head: Head, tag: Tag, now: Duration) -> u32 {
        let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) else { return 1 };
        replay.rate.count(1, now);
        replay.stream.hand_out(order_id, head, tag)
    }

    pub(super) fn replays_wake_at(&self, now: Duration) -> Option<Duration> {
        let times = self.replays.iter().flat_map(|replay| {
            let rate = replay.rate.wait_until(now).filter(|_| replay.stream.window.len() > 0);
            [rate, replay.stream.next_backoff_end()]
        });
        times.flatten().min()
    }

    pub(super) fn end_replay_backoffs(&mut self) {
        for replay in &mut self.replays {
            replay.stream.end_all_backoffs();
        }
    }

    pub(super) fn take_back_replay(&mut self, id: Uuid, flight: &Flight) {
        if let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) {
            replay.stream.landed(flight.order_id);
            replay.stream.refresh(flight.order_id);
        }
    }

    pub(super) fn replay_delivered(&mut self, id: Uuid, flight: &Flight) {
        if let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) {
            replay.delivered += 1;
            replay.settle(flight);
        }
    }

    /// It failed or was rejected, which is the same here: once it was tried often enough it is passed over.
    pub(super) fn replay_failed(&mut self, id: Uuid, flight: &Flight, retry_after: Option<Duration>, now: Duration) {
        let attempts_max = self.limits.attempts_max;
        let wait = retry_after.unwrap_or_else(|| self.lane_wait(flight.attempt));
        let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) else { return };
        if flight.attempt >= attempts_max {
            replay.failed += 1;
            replay.settle(flight);
            return;
        }
        if let Some(lane) = replay.stream.lanes.get_mut(&flight.order_id) {
            lane.trouble_mut().retry_at = Some(now.saturating_add(wait));
        }
        self.take_back_replay(id, flight);
    }

    /// It was alone in flight when the program went away.
    pub(super) fn replay_alone(&mut self, id: Uuid, flight: &Flight) {
        let attempts_max = self.limits.attempts_max;
        let Some(replay) = self.replays.iter_mut().find(|replay| replay.id == id) else { return };
        let Some(lane) = replay.stream.lanes.get_mut(&flight.order_id) else { return };
        let trouble = lane.trouble_mut();
        trouble.alone_detaches = trouble.alone_detaches.saturating_add(1);
        if trouble.alone_detaches >= attempts_max {
            replay.failed += 1;
            replay.settle(flight);
            self.detaches.clear(flight.sequence, flight.order_id);
        }
    }
}
