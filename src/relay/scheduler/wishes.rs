//! What the scheduler wants to be decided: nobody acts on it before the decision is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Limits;
use crate::contracts::{LaneState, Sequence};
use crate::domain::OrderId;

/// One decision that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Take events of an order out of the stream.
    Park(ParkWish),
    /// This parked event got through.
    Delivered(OrderId, Sequence),
    /// Stop handing out: too much is parked.
    Halt(Arc<str>),
}

/// A lane that is to be parked, or whose state changes if there are no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkWish {
    /// The order.
    pub order_id: OrderId,
    /// Why, as a class.
    pub state: LaneState,
    /// Its events in the window, oldest first.
    pub events: Vec<Sequence>,
    /// How often the first was tried.
    pub attempts: u32,
    /// Why, in words.
    pub reason: Arc<str>,
}

/// Wishes that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    parks: VecDeque<ParkWish>,
    halt: Option<Arc<str>>,
    delivered: VecDeque<(OrderId, Sequence)>,
    /// When the first of `delivered` got through.
    delivered_since: Option<Duration>,
    /// Parked and delivered events take turns.
    delivered_last: bool,
}

impl Wishes {
    pub(super) fn park(&mut self, wish: ParkWish) {
        self.parks.push_back(wish);
    }

    pub(super) fn halt(&mut self, reason: Arc<str>) {
        self.halt = Some(reason);
    }

    pub(super) fn delivered(&mut self, order_id: OrderId, sequence: Sequence, now: Duration) {
        self.delivered.push_back((order_id, sequence));
        self.delivered_since = self.delivered_since.or(Some(now));
    }

    /// Something that was to be told as delivered is gone in another way.
    pub(super) fn forget_delivered(&mut self, order_id: OrderId, sequence: Sequence) {
        self.delivered.retain(|delivered| *delivered != (order_id, sequence));
        if self.delivered.is_empty() {
            self.delivered_since = None;
        }
    }

    /// When the next batch is to be taken; `None` if there is nothing.
    pub(super) fn due_at(&self, limits: &Limits) -> Option<Duration> {
        if !self.parks.is_empty() || self.halt.is_some() || self.delivered.len() >= limits.delivered_events_max {
            return Some(Duration::ZERO);
        }
        self.delivered_since.map(|since| since.saturating_add(limits.delivered_delay_max))
    }

    /// The next wish, of each kind the oldest; a halt comes after what it rests on.
    pub(super) fn take(&mut self) -> Option<Wish> {
        self.delivered_last = !self.delivered.is_empty() && (!self.delivered_last || self.parks.is_empty());
        if self.delivered_last {
            let (order_id, sequence) = self.delivered.pop_front()?;
            if self.delivered.is_empty() {
                self.delivered_since = None;
            }
            return Some(Wish::Delivered(order_id, sequence));
        }
        self.parks.pop_front().map(Wish::Park).or_else(|| self.halt.take().map(Wish::Halt))
    }
}
