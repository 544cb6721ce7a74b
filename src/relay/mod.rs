//! From the outbox to the sinks: one [`Worker`] and one cursor for each.

mod acknowledged;
mod backoff;
mod batch;
pub mod cloud_event;
pub mod cursor;
pub mod cursor_format;
mod pulse;
mod settings;
mod signals;
pub mod sinks;
#[cfg(test)]
mod testing;
mod worker;

pub use backoff::Backoff;
pub use cursor::{CursorError, CursorFile, SaveError, SavedPosition};
pub use pulse::Pulse;
pub use settings::WorkerSettings;
pub use signals::Signals;
pub use worker::{Step, Worker, WorkerError};
