//! The only place where concrete types of two layers meet: opening a store, starting and stopping the daemon, and
//! looking into a store from outside.

mod error;
mod housekeeping;
mod inspect;
mod open;
mod relays;
mod serve;
mod system;
mod watchdog;

pub use error::AppError;
pub use inspect::{dump_store, verify_storage, verify_store};
pub use serve::serve;
