//! From the outbox to the sinks: one worker for each. A [`Worker`] writes to a file or a stream, a
//! [`subscription::Subscription`] hands out to a program.

mod backoff;
mod batch;
pub mod cloud_event;
mod control;
mod deciding;
mod file_replays;
mod heartbeat;
mod inbox;
mod progress;
mod rate;
mod replay;
pub mod scheduler;
mod seat;
mod settings;
pub mod sinks;
mod snapshot;
mod source;
pub mod subscription;
#[cfg(test)]
pub(crate) mod testing;
mod worker;
mod worker_snapshot;
mod worker_state;
mod worker_target;
mod worker_view;

pub use backoff::Backoff;
pub use control::Control;
pub use heartbeat::Heartbeat;
pub use seat::{Seat, SeatView};
pub use settings::{WorkerPorts, WorkerSettings};
pub use subscription::{Subscription, SubscriptionPorts, SubscriptionSettings};
pub use worker::{Step, Worker, WorkerError};
