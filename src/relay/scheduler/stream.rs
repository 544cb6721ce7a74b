//! Events of one feed on their way out: the window, the lanes, and which lane may hand out next.

use std::collections::BTreeSet;
use std::time::Duration;

use hashbrown::HashMap;

use super::in_flight::Tag;
use super::lane::{Head, Lane};
use super::window::{Entry, EntryState, Window};
use crate::contracts::Sequence;
use crate::domain::OrderId;

type Lanes = HashMap<OrderId, Lane, foldhash::fast::RandomState>;

/// The live events of a sink, or those of a replay.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) window: Window,
    pub(super) lanes: Lanes,
    /// Everything in the window before this was looked at when it was fresh; what is open there waits in `ready` or
    /// `timers`, or behind an earlier event of its lane.
    next_fresh: Sequence,
    /// Lanes of the stream whose first event may go out.
    ready: BTreeSet<(Sequence, OrderId)>,
    /// Parked lanes whose first event may go out.
    ready_parked: BTreeSet<(Sequence, OrderId)>,
    /// Lanes that wait for the end of a back-off.
    timers: BTreeSet<(Duration, OrderId)>,
    /// Whether a parked lane had its turn last.
    parked_last: bool,
    /// While a snapshot is handed out, the position that it is as of: what is parked of the events after it waits.
    pub(super) snapshot_at: Option<Sequence>,
}

/// What may be handed out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    /// Events that wait in the stream, having been looked at before.
    pub(super) waiting: bool,
    /// Events that were never handed out.
    pub(super) fresh: bool,
}

impl Stream {
    pub(super) fn new(prefix: Sequence) -> Self {
        Self {
            window: Window::new(prefix),
            lanes: HashMap::default(),
            next_fresh: prefix.next(),
            ready: BTreeSet::new(),
            ready_parked: BTreeSet::new(),
            timers: BTreeSet::new(),
            parked_last: false,
            snapshot_at: None,
        }
    }

    /// Takes in the event after the last, open or settled.
    pub(super) fn push(&mut self, order_id: OrderId, bytes: u32, settled: bool) {
        let sequence = self.window.last().next();
        let state = if settled { EntryState::Settled } else { EntryState::Open };
        self.window.push(Entry { order_id, bytes, attempts: 0, state, next: Sequence::ZERO });
        if settled {
            return;
        }
        let lane = self.lanes.entry(order_id).or_default();
        let before = std::mem::replace(&mut lane.last, sequence);
        if lane.first == Sequence::ZERO {
            lane.first = sequence;
        } else if let Some(entry) = self.window.get_mut(before) {
            entry.next = sequence;
        }
    }

    /// Goes on after `sequence`; only once everything read before is settled.
    pub(super) fn jump(&mut self, sequence: Sequence) {
        self.window.jump(sequence);
        self.next_fresh = self.next_fresh.max(self.window.prefix().next());
    }

    /// Events that were read and never looked at.
    pub(super) fn fresh_len(&self) -> usize {
        usize::try_from(self.window.last().next().since(self.next_fresh)).unwrap_or(usize::MAX)
    }

    /// What the lane would hand out next, unless something of it is in flight or on its way into a parked lane.
    pub(super) fn head(&self, order_id: OrderId) -> Option<Head> {
        let lane = self.lanes.get(&order_id).filter(|lane| lane.in_flight.is_none() && lane.parking == 0)?;
        if lane.parked.is_some() {
            return lane.parked_head().filter(|head| self.snapshot_at.is_none_or(|at| head.sequence <= at));
        }
        let entry = self.window.get(lane.first).filter(|entry| entry.state == EntryState::Open)?;
        Some(Head { sequence: lane.first, bytes: entry.bytes, parked: false })
    }

    /// Notes that a lane's state has changed: it may have become ready, or have to wait.
    pub(super) fn refresh(&mut self, order_id: OrderId) {
        if self.lanes.get(&order_id).is_some_and(Lane::is_over) {
            self.lanes.remove(&order_id);
        }
        let Some(head) = self.head(order_id) else { return };
        match self.lanes.get(&order_id).and_then(Lane::retry_at) {
            Some(at) => {
                self.timers.insert((at, order_id));
            }
            None if head.parked => {
                self.ready_parked.insert((head.sequence, order_id));
            }
            None if head.sequence < self.next_fresh => {
                self.ready.insert((head.sequence, order_id));
            }
            // It is found when the stream comes to it.
            None => {}
        }
    }

    /// Lanes whose back-off is over become ready.
    pub(super) fn end_backoffs(&mut self, now: Duration) {
        while let Some((at, order_id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, order_id));
            let trouble = self.lanes.get_mut(&order_id).and_then(|lane| lane.trouble.as_mut());
            if let Some(trouble) = trouble.filter(|trouble| trouble.retry_at == Some(at)) {
                trouble.retry_at = None;
                self.refresh(order_id);
            }
        }
    }

    /// Every back-off ends now.
    pub(super) fn end_all_backoffs(&mut self) {
        self.end_backoffs(Duration::MAX);
    }

    /// When the next back-off of a lane ends.
    pub(super) fn next_backoff_end(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The event that goes out next: parked lanes and the stream take turns.
    pub(super) fn candidate(&mut self, allowed: Allowed) -> Option<(OrderId, Head)> {
        let parked = self.first_ready(true);
        let streamed = if allowed.waiting { self.streamed(allowed.fresh) } else { None };
        match (parked, streamed) {
            (Some(parked), Some(streamed)) => Some(if self.parked_last { streamed } else { parked }),
            (one, other) => one.or(other),
        }
    }

    fn streamed(&mut self, fresh: bool) -> Option<(OrderId, Head)> {
        self.first_ready(false).or_else(|| if fresh { self.first_fresh() } else { None })
    }

    fn first_ready(&mut self, parked: bool) -> Option<(OrderId, Head)> {
        loop {
            let set = if parked { &self.ready_parked } else { &self.ready };
            let (sequence, order_id) = set.first().copied()?;
            let waits = self.lanes.get(&order_id).is_some_and(|lane| lane.retry_at().is_some());
            if let Some(head) =
                self.head(order_id).filter(|head| !waits && (head.sequence, head.parked) == (sequence, parked))
            {
                return Some((order_id, head));
            }
            let set = if parked { &mut self.ready_parked } else { &mut self.ready };
            set.remove(&(sequence, order_id));
        }
    }

    /// The first event that was never looked at and may go out. Those passed on the way wait for their lanes.
    fn first_fresh(&mut self) -> Option<(OrderId, Head)> {
        self.next_fresh = self.next_fresh.max(self.window.prefix().next());
        loop {
            let entry = self.window.get(self.next_fresh)?;
            let order_id = entry.order_id;
            if entry.state == EntryState::Open
                && let Some(head) = self.head(order_id).filter(|head| !head.parked && head.sequence == self.next_fresh)
                && self.lanes.get(&order_id).is_some_and(|lane| lane.retry_at().is_none())
            {
                return Some((order_id, head));
            }
            self.next_fresh = self.next_fresh.next();
        }
    }

    /// The candidate goes out under `tag`; tells which attempt this is.
    pub(super) fn hand_out(&mut self, order_id: OrderId, head: Head, tag: Tag) -> u32 {
        self.parked_last = head.parked;
        let set = if head.parked { &mut self.ready_parked } else { &mut self.ready };
        set.remove(&(head.sequence, order_id));
        let Some(lane) = self.lanes.get_mut(&order_id) else { return 1 };
        lane.in_flight = Some(tag);
        if !head.parked && head.sequence == self.next_fresh {
            self.next_fresh = self.next_fresh.next();
        }
        let attempts = match &mut lane.parked {
            Some(parked) if head.parked => parked.get_mut(head.sequence).map(|event| &mut event.attempts),
            Some(_) | None => self.window.get_mut(head.sequence).map(|entry| &mut entry.attempts),
        };
        let Some(attempts) = attempts else { return 1 };
        *attempts = attempts.saturating_add(1);
        *attempts
    }

    /// Nothing of the lane is in flight any more.
    pub(super) fn landed(&mut self, order_id: OrderId) {
        if let Some(lane) = self.lanes.get_mut(&order_id) {
            lane.in_flight = None;
        }
    }

    /// An event of the stream is settled: it leaves its lane and, if it is the oldest, moves the prefix.
    pub(super) fn settle(&mut self, order_id: OrderId, sequence: Sequence) {
        self.unlink(order_id, sequence);
        self.window.settle(sequence);
    }

    /// The open events of a lane in the window, oldest first.
    pub(super) fn open_events(&self, order_id: OrderId) -> Vec<Sequence> {
        let mut events = Vec::new();
        let mut next = self.lanes.get(&order_id).map_or(Sequence::ZERO, |lane| lane.first);
        while let Some(entry) = self.window.get(next).filter(|_| next != Sequence::ZERO) {
            if entry.state == EntryState::Open {
                events.push(next);
            }
            next = entry.next;
        }
        events
    }

    fn unlink(&mut self, order_id: OrderId, sequence: Sequence) {
        let Some(lane) = self.lanes.get_mut(&order_id) else { return };
        let next = self.window.get(sequence).map_or(Sequence::ZERO, |entry| entry.next);
        if lane.first == sequence {
            lane.first = next;
            if next == Sequence::ZERO {
                lane.last = Sequence::ZERO;
            }
            return;
        }
        // Not the first: events are settled out of turn only by decisions, and a lane is a few events long.
        let mut before = lane.first;
        while let Some(entry) = self.window.get_mut(before).filter(|_| before != Sequence::ZERO) {
            if entry.next == sequence {
                entry.next = next;
                if lane.last == sequence {
                    lane.last = before;
                }
                return;
            }
            before = entry.next;
        }
    }
}
