//! From the outbox to the sinks: one worker and one cursor for each. A [`Worker`] writes to a file or a stream, a
//! [`subscription::Subscription`] hands out to a program.

mod backoff;
mod batch;
pub mod cloud_event;
mod control;
pub mod cursor;
pub mod cursor_format;
mod deciding;
mod file_replays;
mod heartbeat;
mod inbox;
mod progress;
mod rate;
mod replay;
pub mod scheduler;
mod settings;
pub mod sinks;
mod source;
pub mod subscription;
#[cfg(test)]
mod testing;
mod worker;
mod worker_state;
mod worker_target;
mod worker_view;

pub use backoff::Backoff;
pub use control::Control;
pub use cursor::{CursorError, CursorFile, SaveError, SavedPosition};
pub use heartbeat::Heartbeat;
pub use replay::ReplayPorts;
pub use settings::{WorkerPorts, WorkerSettings};
pub use subscription::{Subscription, SubscriptionPorts, SubscriptionSettings};
pub use worker::{Step, Worker, WorkerError};
