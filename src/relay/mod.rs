//! From the outbox to the sinks: one worker for each. A [`Worker`] writes to a file or a stream, a
//! [`subscription::Subscription`] hands out to a program.

mod backoff;
pub mod cloud_event;
mod control;
mod deciding;
mod error;
mod heartbeat;
mod lines;
mod rate;
mod registration;
mod replay;
pub mod scheduler;
mod seat;
mod settings;
pub mod sinks;
mod snapshot;
mod step;
pub mod subscription;
#[cfg(test)]
pub(crate) mod testing;

pub use backoff::Backoff;
pub use control::Control;
pub use error::WorkerError;
pub use heartbeat::Heartbeat;
pub use lines::Worker;
pub use registration::{MakeCursor, Registered, Registration, RegistrationPorts};
pub use seat::{Seat, SeatView};
pub use settings::{WorkerPorts, WorkerSettings};
pub use step::Step;
pub use subscription::{Subscription, SubscriptionPorts, SubscriptionSettings};
