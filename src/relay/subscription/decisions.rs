//! From wishes to decisions, and from durable decisions back to the scheduler.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use super::content::Content;
use crate::contracts::{Decision, DecisionBatch, DecisionKind, FeedError, PublishedEvent, Sequence};
use crate::domain::{OrderId, Timestamp};
use crate::relay::cloud_event;
use crate::relay::scheduler::{ParkWish, Scheduler, Wish};

/// Decisions in one batch.
const BATCH_MAX: usize = 64;
/// Their bytes, about: they become durable in one commit, beside the commands.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// How soon a batch for which there was no room is sent again.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// The events of parked lanes, which the journal need not hold any more.
pub(super) type ParkedEvents = HashMap<OrderId, VecDeque<Arc<PublishedEvent>>>;

/// One batch at a time on its way to the executor.
pub(super) struct Decisions {
    sink: Arc<str>,
    uid: u32,
    sender: Sender<DecisionBatch>,
    ticket: u64,
    /// What is under way: sent again if there was no room.
    batch: Option<DecisionBatch>,
    /// How many of its decisions were not heard of.
    left: usize,
    /// When it is to be sent, if it is not under way.
    send_at: Option<Duration>,
}

impl Decisions {
    pub(super) const fn new(sink: Arc<str>, uid: u32, sender: Sender<DecisionBatch>) -> Self {
        Self { sink, uid, sender, ticket: 0, batch: None, left: 0, send_at: None }
    }

    /// Whether a batch is under way, or waits to be sent again.
    pub(super) const fn is_busy(&self) -> bool {
        self.batch.is_some()
    }

    /// When a batch that waits is to be sent again.
    pub(super) const fn send_at(&self) -> Option<Duration> {
        self.send_at
    }

    /// Makes a decision of the daemon's own.
    pub(super) fn decide(&self, kind: DecisionKind, reason: Arc<str>, at: Timestamp) -> Decision {
        Decision { sink: Arc::clone(&self.sink), at, uid: self.uid, reason, kind }
    }

    /// Asks for what the scheduler wishes, and for `others`.
    ///
    /// # Errors
    /// An event that is to be parked cannot be read again; the wishes for it are lost until a restart.
    pub(super) fn ask(
        &mut self,
        scheduler: &mut Scheduler,
        content: &Content,
        others: &mut Vec<Decision>,
        at: Timestamp,
        now: Duration,
    ) -> Result<(), FeedError> {
        if let Some(send_at) = self.send_at {
            if send_at <= now {
                self.send(now);
            }
            return Ok(());
        }
        if self.is_busy() {
            return Ok(());
        }
        let mut decisions = std::mem::take(others);
        let mut bytes = 0;
        while decisions.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            if scheduler.wishes_due_at().is_none_or(|due_at| due_at > now) {
                break;
            }
            for wish in scheduler.take_wishes(1) {
                let (kind, reason) = kind_of(wish, content, &mut bytes)?;
                decisions.push(self.decide(kind, reason, at));
            }
        }
        if !decisions.is_empty() {
            self.ticket += 1;
            self.left = decisions.len();
            self.batch = Some(DecisionBatch { ticket: self.ticket, decisions });
            self.send(now);
        }
        Ok(())
    }

    /// A decision is durable; whether it is one of those that were asked for here.
    pub(super) fn heard(&mut self, ticket: Option<u64>) -> bool {
        if ticket != Some(self.ticket) || self.batch.is_none() {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.batch = None;
        }
        true
    }

    /// There was no room for the batch: it is sent again.
    pub(super) fn full(&mut self, ticket: u64, now: Duration) {
        if ticket == self.ticket && self.batch.is_some() {
            self.send_at = Some(now.saturating_add(FULL_RETRY));
        }
    }

    fn send(&mut self, now: Duration) {
        let Some(batch) = self.batch.clone() else { return };
        self.send_at = match self.sender.try_send(batch) {
            // Nobody decides any more: the daemon stops, and what is wished for is wished for again after the restart.
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
            Err(TrySendError::Full(_)) => Some(now.saturating_add(FULL_RETRY)),
        };
    }
}

fn kind_of(wish: Wish, content: &Content, bytes: &mut usize) -> Result<(DecisionKind, Arc<str>), FeedError> {
    match wish {
        Wish::Delivered(events) => Ok((DecisionKind::Delivered { events }, Arc::from(""))),
        Wish::Halt(reason) => Ok((DecisionKind::Halted, reason)),
        Wish::Park(ParkWish { order_id, state, events, attempts, reason }) => {
            let mut parked = Vec::with_capacity(events.len());
            for sequence in events {
                let event = content.get(sequence)?;
                *bytes += cloud_event::size_of(&event);
                parked.push(event);
            }
            Ok((DecisionKind::Parked { order_id, state, attempts, events: parked }, reason))
        }
    }
}

/// Acts on a durable decision. Replays and jumps of the feed are the caller's.
pub(super) fn apply(
    decision: &Decision,
    own: bool,
    scheduler: &mut Scheduler,
    parked: &mut ParkedEvents,
    now: Duration,
) {
    match &decision.kind {
        DecisionKind::Parked { order_id, state, events, .. } => {
            keep(parked, *order_id, events);
            let events: Vec<_> = events.iter().map(|event| (event.sequence, bytes_of(event))).collect();
            scheduler.parked(*order_id, *state, &decision.reason, &events, own, now);
        }
        DecisionKind::Requeued { order_id } => scheduler.requeued(*order_id),
        DecisionKind::Delivered { events } => {
            scheduler.delivered_durably(events);
            events.iter().for_each(|(order_id, sequence)| forget(parked, *order_id, *sequence));
        }
        DecisionKind::LaneSkipped { order_id, sequence } => {
            scheduler.lane_skipped(*order_id, *sequence);
            forget(parked, *order_id, *sequence);
        }
        DecisionKind::RangeSkipped { from, to } => scheduler.range_skipped(*from, *to),
        DecisionKind::Paused => scheduler.paused(),
        DecisionKind::Resumed => scheduler.resumed(),
        DecisionKind::Halted => scheduler.halted(),
        DecisionKind::Registered(_)
        | DecisionKind::Forgotten
        | DecisionKind::ReplayStarted(_)
        | DecisionKind::ReplayEnded { .. }
        | DecisionKind::SnapshotEnded
        | DecisionKind::Restored { .. } => {}
    }
}

/// What handing an event out takes, about.
pub(super) fn bytes_of(event: &PublishedEvent) -> u32 {
    u32::try_from(cloud_event::size_of(event)).unwrap_or(u32::MAX)
}

fn keep(parked: &mut ParkedEvents, order_id: OrderId, events: &[Arc<PublishedEvent>]) {
    if events.is_empty() {
        return;
    }
    let lane = parked.entry(order_id).or_default();
    for event in events {
        if lane.back().is_none_or(|last| last.sequence < event.sequence) {
            lane.push_back(Arc::clone(event));
        }
    }
}

fn forget(parked: &mut ParkedEvents, order_id: OrderId, sequence: Sequence) {
    if let Some(lane) = parked.get_mut(&order_id) {
        lane.retain(|event| event.sequence != sequence);
        if lane.is_empty() {
            parked.remove(&order_id);
        }
    }
}
