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
    /// These parked events got through.
    Delivered(Vec<(OrderId, Sequence)>),
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
    delivered: Vec<(OrderId, Sequence)>,
    /// When the first of `delivered` got through.
    delivered_since: Option<Duration>,
}

impl Wishes {
    pub(super) fn park(&mut self, wish: ParkWish) {
        self.parks.push_back(wish);
    }

    pub(super) fn halt(&mut self, reason: Arc<str>) {
        self.halt = Some(reason);
    }

    pub(super) fn delivered(&mut self, order_id: OrderId, sequence: Sequence, now: Duration) {
        self.delivered.push((order_id, sequence));
        self.delivered_since = self.delivered_since.or(Some(now));
    }

    /// Something that was to be told as delivered is gone in another way.
    pub(super) fn forget_delivered(&mut self, order_id: OrderId, sequence: Sequence) {
        self.delivered.retain(|delivered| *delivered != (order_id, sequence));
    }

    /// When the next batch is to be taken; `None` if there is nothing.
    pub(super) fn due_at(&self, limits: &Limits) -> Option<Duration> {
        if !self.parks.is_empty() || self.halt.is_some() || self.delivered.len() >= limits.delivered_events_max {
            return Some(Duration::ZERO);
        }
        self.delivered_since.map(|since| since.saturating_add(limits.delivered_delay_max))
    }

    /// The next wishes, oldest first; a halt comes after what it rests on.
    pub(super) fn take(&mut self, parks_max: usize) -> Vec<Wish> {
        let mut wishes = Vec::new();
        if !self.delivered.is_empty() {
            wishes.push(Wish::Delivered(std::mem::take(&mut self.delivered)));
        }
        self.delivered_since = None;
        let count = self.parks.len().min(parks_max);
        wishes.extend(self.parks.drain(..count).map(Wish::Park));
        if self.parks.is_empty() {
            wishes.extend(self.halt.take().map(Wish::Halt));
        }
        wishes
    }
}
