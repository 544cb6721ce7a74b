//! The order, its rules and the facts it announces. Knows no clock, no storage and no wire.

mod change_tracker;
mod event_context;
mod event_raiser;
mod events;
mod ids;
mod money;
mod order;
mod order_state;
mod reason;
mod timestamp;

pub use change_tracker::{ChangeTracker, Field};
pub use event_context::EventContext;
pub use event_raiser::{EventRaiser, RaisedEvent};
pub use events::{OrderCancelled, OrderCompleted, OrderEvent, OrderPlaced};
pub use ids::{CommandId, CustomerId, EventId, IdError, OrderId};
pub use money::{Cents, CentsError};
pub use order::{Order, TransitionError};
pub use order_state::{OrderState, OrderStatus};
pub use reason::{CancelReason, ReasonError};
pub use timestamp::{Timestamp, TimestampError};
