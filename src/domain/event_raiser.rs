//! Collects the events of one aggregate until the repository puts them into a plan.

use super::{EventId, OrderEvent};

/// An event with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaisedEvent {
    /// Belongs to the transition: see [`EventId::of_transition`].
    pub id: EventId,
    /// The order's version after the change.
    pub order_version: u32,
    /// What happened.
    pub event: OrderEvent,
}

/// Embedded in the aggregate. Events are collected here and published nowhere: that is the relay's work, after the
/// plan that carries them is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRaiser {
    raised: Vec<RaisedEvent>,
}

impl EventRaiser {
    /// Collects `event`, which took its order to `order_version`.
    pub(super) fn raise(&mut self, order_version: u32, event: OrderEvent) {
        let id = EventId::of_transition(event.order_id(), order_version);
        self.raised.push(RaisedEvent { id, order_version, event });
    }

    /// What was raised and not taken yet, oldest first.
    #[must_use]
    pub fn events(&self) -> &[RaisedEvent] {
        &self.raised
    }

    /// Gives the events up, oldest first: who takes them stores them, and nobody can take them again.
    #[must_use]
    pub(super) fn take(&mut self) -> Vec<RaisedEvent> {
        std::mem::take(&mut self.raised)
    }
}
