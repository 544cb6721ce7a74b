//! The aggregate: the only place where an order changes.

use super::{
    CancelReason, Cents, ChangeTracker, CustomerId, EventRaiser, Field, OrderCancelled, OrderCompleted, OrderEvent,
    OrderId, OrderPlaced, OrderState, OrderStatus, RaisedEvent, Timestamp,
};

/// An order, with the changes and the events that it has gathered since it was retrieved.
///
/// Every verb does four things: check the transition, update the fields, track them, raise the event. Time and ids
/// come in as arguments, so a verb gives the same result whenever it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    state: OrderState,
    /// The version that the first change is made from; 0 for an order that is not stored yet.
    stored_version: u32,
    changes: ChangeTracker,
    events: EventRaiser,
}

/// A change that an order's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("order {order_id} is {from}{outcome}; {allowed}", outcome = outcome(*from, *to), allowed = allowed_from(*from))]
pub struct TransitionError {
    /// The order.
    pub order_id: OrderId,
    /// What it is.
    pub from: OrderStatus,
    /// What it was to become.
    pub to: OrderStatus,
}

fn outcome(from: OrderStatus, to: OrderStatus) -> String {
    if from == to { " already".to_owned() } else { format!(" and cannot become {to}") }
}

const fn allowed_from(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Placed => "a placed order may become completed or cancelled",
        OrderStatus::Completed => "a completed order may become cancelled",
        OrderStatus::Cancelled => "cancelled is final",
    }
}

impl Order {
    /// Places a new order and raises [`OrderPlaced`].
    #[must_use]
    pub fn place(order_id: OrderId, customer_id: CustomerId, total_amount: Cents, now: Timestamp) -> Self {
        let state = OrderState {
            order_id,
            customer_id,
            total_amount,
            status: OrderStatus::Placed,
            version: 1,
            placed_at: now,
            completed_at: None,
            cancelled_at: None,
        };
        let mut order = Self { stored_version: 0, ..Self::rehydrate(state) };
        for field in [Field::CustomerId, Field::TotalAmount, Field::Status, Field::PlacedAt] {
            order.changes.mark(field);
        }
        let placed = OrderPlaced { order_id, customer_id, total_amount, placed_at: now };
        order.events.raise(state.version, OrderEvent::Placed(placed));
        order
    }

    /// Builds the aggregate from stored facts; marks nothing and raises nothing.
    #[must_use]
    pub fn rehydrate(state: OrderState) -> Self {
        let (changes, events) = (ChangeTracker::default(), EventRaiser::default());
        Self { state, stored_version: state.version, changes, events }
    }

    /// Completes the order and raises [`OrderCompleted`].
    ///
    /// # Errors
    /// The order is not placed; it is left as it was.
    pub fn complete(&mut self, now: Timestamp) -> Result<(), TransitionError> {
        match self.state.status {
            OrderStatus::Placed => {}
            OrderStatus::Completed | OrderStatus::Cancelled => return Err(self.refuse(OrderStatus::Completed)),
        }
        let completed_at = self.change_status(OrderStatus::Completed, now);
        self.state.completed_at = Some(completed_at);
        self.changes.mark(Field::CompletedAt);
        let OrderState { order_id, customer_id, total_amount, version, .. } = self.state;
        let completed = OrderCompleted { order_id, customer_id, total_amount, completed_at };
        self.events.raise(version, OrderEvent::Completed(completed));
        Ok(())
    }

    /// Cancels the order, placed or completed, and raises [`OrderCancelled`].
    ///
    /// # Errors
    /// The order is cancelled already; it is left as it was.
    pub fn cancel(&mut self, now: Timestamp, reason: Option<CancelReason>) -> Result<(), TransitionError> {
        let cancelled_from = self.state.status;
        match cancelled_from {
            OrderStatus::Placed | OrderStatus::Completed => {}
            OrderStatus::Cancelled => return Err(self.refuse(OrderStatus::Cancelled)),
        }
        let cancelled_at = self.change_status(OrderStatus::Cancelled, now);
        self.state.cancelled_at = Some(cancelled_at);
        self.changes.mark(Field::CancelledAt);
        let OrderState { order_id, customer_id, total_amount, version, .. } = self.state;
        let cancelled = OrderCancelled { order_id, customer_id, total_amount, cancelled_at, cancelled_from, reason };
        self.events.raise(version, OrderEvent::Cancelled(cancelled));
        Ok(())
    }

    /// The facts as they are now.
    #[must_use]
    pub const fn state(&self) -> &OrderState {
        &self.state
    }

    /// The fields that changed since the order was placed or rehydrated.
    #[must_use]
    pub const fn changes(&self) -> ChangeTracker {
        self.changes
    }

    /// The version that was rehydrated, which all changes since were made from; 0 if the order was placed just now.
    #[must_use]
    pub const fn stored_version(&self) -> u32 {
        self.stored_version
    }

    /// The events raised since the order was placed or rehydrated.
    #[must_use]
    pub const fn events(&self) -> &EventRaiser {
        &self.events
    }

    /// Gives up the events raised since the order was placed or rehydrated, to whoever stores them.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<RaisedEvent> {
        self.events.take()
    }

    /// Steps to the next version and gives the time of the change: `now`, lifted to the last change's time where a
    /// clock has gone back, so that an order's times never do.
    fn change_status(&mut self, to: OrderStatus, now: Timestamp) -> Timestamp {
        let changed_at = now.max(self.state.last_changed_at());
        self.state.status = to;
        self.state.version += 1;
        self.changes.mark(Field::Status);
        changed_at
    }

    const fn refuse(&self, to: OrderStatus) -> TransitionError {
        TransitionError { order_id: self.state.order_id, from: self.state.status, to }
    }
}

#[cfg(test)]
#[path = "order_test.rs"]
mod tests;
