//! Decides what one sink is handed, and when: pure, without I/O, clock or threads.
//!
//! Events that were read, outcomes, durable decisions and the time go in; hand-outs, wishes for decisions, progress and
//! the time of the next step come out. A worker drives it, and so does the model test.
//!
//! What always holds:
//!
//! - The prefix only grows, and passes an event only once that is delivered, or parked or skipped durably.
//! - Of an order at most one event is handed out and unanswered, and first hand-outs come in the order of its versions.
//! - A lane that is parked, or on its way there, hands out nothing but its parked events, oldest first.
//! - Every event ends delivered, parked or skipped; nothing is parked or skipped without a decision.
//!
//! ```text
//!  read ──▶ window (ring after the prefix) ──▶ lanes ──▶ hand out ──▶ in flight, by tag
//!                    ▲      settled              ▲ │ failed, voided        │
//!                    └───────────────────────────┼─┴───────────────────────┤
//!                            wish: park ─▶ durable decision ─▶ parked lane │ delivered, rejected
//! ```

mod attach;
mod decisions;
mod detaches;
mod flow;
mod full_window;
mod hand_out;
mod in_flight;
mod lane;
mod lane_counts;
mod limits;
#[cfg(test)]
mod model_record_test;
#[cfg(test)]
mod model_test;
mod notes;
mod outage;
mod outcomes;
mod replay;
mod replays;
#[cfg(test)]
mod replays_test;
mod snapshot;
#[cfg(test)]
mod snapshot_test;
mod standing;
mod stored;
mod stream;
mod stream_id;
mod window;
mod wishes;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use hand_out::HandOut;
pub use in_flight::Tag;
pub use lane_counts::LaneCounts;
pub use limits::Limits;
pub use notes::{DeliveryNote, FailureNote};
pub use outcomes::UnknownTag;
pub use replay::ReplayFigures;
pub use standing::{EventStanding, LaneStanding, Standing};
pub use stored::{Snapshot, Stored, StoredLane};
pub use stream_id::StreamId;
pub use wishes::{ParkWish, Wish};

use crate::contracts::{LaneState, Sequence};
use crate::domain::OrderId;
use crate::relay::rate::Rate;
use detaches::Detaches;
use flow::SlowStart;
use in_flight::InFlight;
use lane::{Lane, Parked, ParkedEvent};
use outage::Outage;
use replay::Replay;
use stream::Stream;
use window::{Entry, EntryState};
use wishes::Wishes;

/// What one sink is handed, and when. See the module.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    live: Stream,
    replays: Vec<Replay>,
    /// Whether a replay had its turn last.
    replay_last: bool,
    /// While a snapshot is handed out, the live stream's sequences are its rows.
    snapshot: Option<Snapshot>,
    in_flight: InFlight,
    /// Events that the attached program wants in flight; `None` while none is attached.
    attached: Option<usize>,
    /// Counts attaches.
    session: u64,
    slow_start: SlowStart,
    rate: Rate,
    outage: Outage,
    detaches: Detaches,
    wishes: Wishes,
    paused: bool,
    halted: bool,
    /// A halt is wished for: nothing new goes out, though it is not durable yet.
    halting: bool,
    /// Different lanes that were rejected since the last delivery.
    rejected: HashSet<OrderId, foldhash::fast::RandomState>,
    parked_lanes: LaneCounts,
    parked_events: u64,
    parked_bytes: u64,
    /// What is passed over for good, and was not passed yet.
    skips: Vec<(Sequence, Sequence)>,
    /// Single events that count as settled when they are read.
    settled: HashSet<Sequence, foldhash::fast::RandomState>,
    /// The same for the events after a snapshot, while that is handed out.
    settled_after: HashSet<Sequence, foldhash::fast::RandomState>,
    /// Live events delivered since the start: the evidence that the sink takes events.
    delivered: u64,
    /// Events delivered since the start, replays among them.
    delivered_total: u64,
    failures_in_a_row: u64,
    last_error: Option<Arc<str>>,
    failures: Vec<FailureNote>,
    deliveries: Vec<DeliveryNote>,
    /// While nothing gets through at all, when an event that was never tried may go out next.
    fresh_at: Duration,
    random: fastrand::Rng,
}

impl Scheduler {
    /// A scheduler that goes on from what was stored.
    #[must_use]
    pub fn new(limits: Limits, stored: Stored, now: Duration) -> Self {
        let mut scheduler = Self {
            live: Stream::new(stored.prefix),
            replays: Vec::new(),
            replay_last: false,
            snapshot: stored.snapshot,
            in_flight: InFlight::default(),
            attached: None,
            session: 0,
            slow_start: SlowStart::new(limits.slow_start_events),
            rate: Rate::new(limits.rate_events_per_s_max),
            outage: Outage::new(&limits),
            detaches: Detaches::default(),
            wishes: Wishes::default(),
            paused: stored.paused,
            halted: stored.halted,
            halting: false,
            rejected: HashSet::default(),
            parked_lanes: LaneCounts::default(),
            parked_events: 0,
            parked_bytes: 0,
            skips: stored
                .skips
                .into_iter()
                .filter(|(_, to)| stored.snapshot.is_some() || *to > stored.prefix)
                .collect(),
            settled: stored.settled.into_iter().filter(|sequence| *sequence > stored.prefix).collect(),
            settled_after: stored.settled_after.into_iter().collect(),
            delivered: 0,
            delivered_total: 0,
            failures_in_a_row: 0,
            last_error: None,
            failures: Vec::new(),
            deliveries: Vec::new(),
            fresh_at: Duration::ZERO,
            random: fastrand::Rng::with_seed(limits.seed.rotate_left(17)),
            limits,
        };
        scheduler.live.snapshot_at = stored.snapshot.map(|snapshot| snapshot.at);
        for lane in stored.lanes {
            scheduler.restore(lane, now);
        }
        scheduler.pass_skipped();
        scheduler
    }

    fn restore(&mut self, stored: StoredLane, now: Duration) {
        let order_id = stored.order_id;
        let mut lane = Lane::default();
        self.parked_lanes.change(None, Some(stored.state));
        self.parked_events += stored.events.len() as u64;
        self.parked_bytes += stored.events.iter().map(|(_, bytes)| u64::from(*bytes)).sum::<u64>();
        for (sequence, _) in &stored.events {
            self.settle_unread(*sequence, self.place_of(*sequence, stored.row));
        }
        let mut attempts = stored.attempts;
        let events = stored.events.into_iter().map(|(sequence, bytes)| ParkedEvent {
            sequence,
            bytes,
            attempts: std::mem::take(&mut attempts),
            delivered: false,
        });
        lane.parked = Some(Box::new(Parked { state: stored.state, events: events.collect() }));
        let wait = self.lane_wait(1);
        let trouble = lane.trouble_mut();
        trouble.reason = Some(stored.reason);
        trouble.retry_at = (stored.state == LaneState::Retrying).then(|| now.saturating_add(wait));
        self.live.lanes.insert(order_id, lane);
        self.live.refresh(order_id);
    }

    /// The event that is to be read next. It may lie far after the last one: what is skipped need not be read.
    #[must_use]
    pub fn next_to_read(&self) -> Sequence {
        self.live.window.last().next()
    }

    /// How many events may be taken in now.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let Some(in_flight_max) = self.attached else { return 0 };
        if self.paused || self.halted || self.halting || self.is_skipped(self.next_to_read()) {
            return 0;
        }
        let room = self.limits.window_events_max.saturating_sub(self.live.window.len());
        let rows = self.snapshot.map(|snapshot| snapshot.rows.saturating_sub(self.live.window.last().0));
        let left = rows.map_or(usize::MAX, |rows| usize::try_from(rows).unwrap_or(usize::MAX));
        room.min(in_flight_max.saturating_sub(self.live.fresh_len())).min(left)
    }

    /// Takes in the event that is next to be read; `bytes` is about what handing it out takes.
    pub fn push(&mut self, order_id: OrderId, bytes: u32) {
        let sequence = self.next_to_read();
        let known = self.settled.remove(&sequence) || self.is_skipped(sequence);
        let parked = self.live.lanes.get(&order_id).and_then(|lane| lane.parked.as_ref());
        let state = parked.map(|parked| parked.state);
        let covered = parked.is_some_and(|parked| self.snapshot.is_some() || parked.covers(sequence));
        self.live.push(order_id, bytes, known || covered);
        if let Some(state) = state.filter(|_| !known && !covered) {
            self.join(order_id, state, vec![sequence]);
        }
        self.pass_skipped();
    }

    /// Everything up to here is settled.
    #[must_use]
    pub const fn prefix(&self) -> Sequence {
        self.live.window.prefix()
    }

    /// Grows with every event that is settled.
    #[must_use]
    pub fn settled_count(&self) -> u64 {
        self.prefix().0 + (self.live.window.settled() + self.settled.len()) as u64
    }

    /// Of each event after the prefix, in order, whether it is settled. Those that were not read yet since the start,
    /// and are known to be settled, are left out; see [`Scheduler::settled_unread`].
    pub fn settled_bits(&self) -> impl Iterator<Item = bool> + '_ {
        self.live.window.settled_bits()
    }

    /// Events that are settled and were not read again since the start.
    pub fn settled_unread(&self) -> impl Iterator<Item = Sequence> + '_ {
        self.settled.iter().copied()
    }

    /// When the next batch of decisions is to be asked for; `None` if there is none.
    #[must_use]
    pub fn wishes_due_at(&self) -> Option<Duration> {
        self.wishes.due_at(&self.limits)
    }

    /// Takes the next wish: the caller sees to it that it becomes durable, and after those that were taken before.
    pub fn take_wish(&mut self) -> Option<Wish> {
        loop {
            let wish = self.wishes.take()?;
            if let Some(wanted) = self.still_wanted(wish) {
                return Some(wanted);
            }
        }
    }

    /// An operator may have parked or skipped meanwhile what was to be parked.
    fn still_wanted(&mut self, wish: Wish) -> Option<Wish> {
        let mut park = match wish {
            Wish::Park(park) if !park.events.is_empty() => park,
            Wish::Park(_) | Wish::Delivered(..) | Wish::Halt(_) => return Some(wish),
        };
        let undecided = |entry: &Entry| matches!(entry.state, EntryState::Parking | EntryState::ParkingDelivered);
        park.events.retain(|sequence| self.live.window.get(*sequence).is_some_and(undecided));
        if !park.events.is_empty() {
            return Some(Wish::Park(park));
        }
        let lane = self.live.lanes.get_mut(&park.order_id)?;
        if lane.joining > 0 && (lane.parked.is_some() || lane.parking == 0) {
            lane.joining -= 1;
        } else {
            lane.parking = lane.parking.saturating_sub(1);
        }
        self.live.refresh(park.order_id);
        None
    }

    /// What went wrong since the last call.
    pub fn take_failures(&mut self) -> Vec<FailureNote> {
        std::mem::take(&mut self.failures)
    }

    /// What the program took since the last call.
    pub fn take_deliveries(&mut self) -> Vec<DeliveryNote> {
        std::mem::take(&mut self.deliveries)
    }

    fn is_skipped(&self, sequence: Sequence) -> bool {
        if self.snapshot.is_some() {
            return self.passes_snapshot();
        }
        self.skips.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }

    /// Passes what is skipped and comes next, without reading it; only once everything before is settled.
    fn pass_skipped(&mut self) {
        if let Some(snapshot) = self.snapshot {
            if self.live.window.len() == 0 && self.passes_snapshot() {
                self.live.jump(Sequence(snapshot.rows));
            }
            return;
        }
        while self.live.window.len() == 0 && !self.skips.is_empty() {
            let next = self.next_to_read();
            let Some((_, to)) = self.skips.iter().find(|(from, to)| (*from..=*to).contains(&next)).copied() else {
                break;
            };
            self.live.jump(to);
        }
        let prefix = self.prefix();
        if !self.skips.is_empty() {
            self.skips.retain(|(_, to)| *to > prefix);
            // What was settled among them is passed with them; it would be taken for a later event's bit.
            self.settled.retain(|settled| *settled > prefix);
        }
    }

    /// A wait of a lane that failed `waits` times: any between the minimum and a ceiling that doubles each time.
    fn lane_wait(&mut self, waits: u32) -> Duration {
        let (min, max) = (self.limits.backoff_min, self.limits.backoff_max.max(self.limits.backoff_min));
        let ceiling = min.saturating_mul(2_u32.saturating_pow(waits)).min(max);
        let micros = |wait: Duration| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random.u64(micros(min)..=micros(ceiling.max(min))))
    }
}
