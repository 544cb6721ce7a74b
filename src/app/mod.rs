//! The only place where concrete types of two layers meet: opening a store, starting and stopping the daemon, and
//! looking into a store from outside.

mod clock;
mod daemon;
mod error;
mod inspect;
mod maintenance;
mod open;
mod relays;
mod watchdog;

pub use daemon::serve;
pub use error::AppError;
pub use inspect::{dump_store, verify_storage, verify_store};
