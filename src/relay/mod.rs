//! From the outbox to the sinks: one [`Worker`] and one cursor for each.

mod backoff;
mod batch;
pub mod cloud_event;
mod control;
pub mod cursor;
pub mod cursor_format;
mod heartbeat;
mod progress;
pub mod scheduler;
mod settings;
pub mod sinks;
pub mod subscription;
#[cfg(test)]
mod testing;
mod worker;

pub use backoff::Backoff;
pub use control::Control;
pub use cursor::{CursorError, CursorFile, SaveError, SavedPosition};
pub use heartbeat::Heartbeat;
pub use settings::WorkerSettings;
pub use subscription::{Subscription, SubscriptionPorts, SubscriptionSettings};
pub use worker::{Step, Worker, WorkerError};
