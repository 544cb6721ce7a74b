//! Which event goes out next.

use std::time::Duration;

use super::in_flight::Flight;
use super::lane::Head;
use super::stream::Allowed;
use super::{Limits, Scheduler, StreamId, Tag};
use crate::contracts::Sequence;
use crate::domain::OrderId;

/// An event that is to be sent to the program now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOut {
    /// Its tag on this connection.
    pub tag: Tag,
    /// From 1.
    pub attempt: u32,
    /// Where it comes from.
    pub stream: StreamId,
    /// Its order.
    pub order_id: OrderId,
    /// Its number; of a snapshot's event that is not parked, its row.
    pub sequence: Sequence,
    /// Whether it comes from a parked lane.
    pub parked: bool,
}

impl Scheduler {
    /// The next event to hand out, if one may go out now. It counts as handed out from here on.
    pub fn next(&mut self, now: Duration) -> Option<HandOut> {
        let in_flight_max = self.attached?;
        if self.paused {
            return None;
        }
        self.live.end_backoffs(now);
        if self.in_flight.len() >= self.cap(in_flight_max) || !self.may_hand_out(now) {
            return None;
        }
        // Replays and live events take turns: neither waits for the end of the other.
        let (stream, order_id, head) = if self.replay_last {
            self.live_candidate(now).or_else(|| self.replay_candidate(now))?
        } else {
            self.replay_candidate(now).or_else(|| self.live_candidate(now))?
        };
        let bytes = self.in_flight.bytes().saturating_add(head.bytes as usize);
        if bytes > self.limits.in_flight_bytes_max && !self.in_flight.is_empty() {
            return None;
        }
        Some(self.hand_out(stream, order_id, head, now))
    }

    /// When something may be handed out, or has to be done, without anything else happening before; after `now`.
    #[must_use]
    pub fn wake_at(&self, now: Duration) -> Option<Duration> {
        let answer = self.answer_due_at();
        let Some(in_flight_max) = self.attached.filter(|_| !self.paused) else { return answer };
        let mut times = [answer, None, None, None, None, None];
        if self.in_flight.len() < self.cap(in_flight_max) {
            times = [
                answer,
                self.outage.until(),
                self.rate.wait_until(now),
                self.live.next_backoff_end(),
                self.full_window_until().or(Some(self.fresh_at)),
                self.replays_wake_at(now),
            ];
        }
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// When the oldest unanswered event has waited for too long.
    #[must_use]
    pub fn answer_due_at(&self) -> Option<Duration> {
        self.in_flight.oldest().map(|flight| flight.handed_at.saturating_add(self.limits.answer_max))
    }

    fn cap(&self, in_flight_max: usize) -> usize {
        if self.outage.is_down() || self.detaches.one_at_a_time() {
            return 1;
        }
        in_flight_max.min(self.limits.in_flight_max).min(self.slow_start.cap())
    }

    fn may_hand_out(&self, now: Duration) -> bool {
        self.outage.until().is_none_or(|until| until <= now) && self.rate.wait_until(now).is_none()
    }

    fn live_candidate(&mut self, now: Duration) -> Option<(StreamId, OrderId, Head)> {
        let waiting = !self.halted && !self.halting;
        let allowed = Allowed { waiting, fresh: waiting && !self.is_stalled(now) };
        let candidate = self.live.candidate(allowed);
        if candidate.is_none() && waiting {
            self.relieve_full_window(now);
        }
        candidate.map(|(order_id, head)| (StreamId::Live, order_id, head))
    }

    /// Whether nothing gets through at all: then events that were never tried go out one at a time, with a back-off.
    fn is_stalled(&self, now: Duration) -> bool {
        self.failures_in_a_row >= self.limits.in_flight_max as u64 && now < self.fresh_at
    }

    fn hand_out(&mut self, stream: StreamId, order_id: OrderId, head: Head, now: Duration) -> HandOut {
        let tag = self.in_flight.next_tag();
        let attempt = match stream {
            StreamId::Live => self.live.hand_out(order_id, head, tag),
            StreamId::Replay(replay_id) => self.hand_out_replay(replay_id, order_id, head, tag, now),
        };
        let Head { sequence, bytes, parked } = head;
        self.in_flight.add(Flight { tag, stream, order_id, sequence, bytes, attempt, handed_at: now });
        self.rate.count(1, now);
        self.replay_last = stream != StreamId::Live;
        if self.failures_in_a_row >= self.limits.in_flight_max as u64 && !parked && attempt == 1 {
            self.fresh_at = now.saturating_add(self.limits.backoff_max.min(Limits::STALLED_WAIT));
        }
        HandOut { tag, attempt, stream, order_id, sequence, parked }
    }
}
