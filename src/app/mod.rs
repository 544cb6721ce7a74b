//! The only place where concrete types of two layers meet: opening a store, starting and stopping the daemon, and
//! looking into a store from outside.

#[cfg(feature = "postgres")]
mod candidate;
mod clock;
mod core;
mod cursors;
mod daemon;
#[cfg(feature = "postgres")]
mod election;
mod error;
mod executor_rows;
mod host;
mod inspect;
mod machine;
mod maintenance;
mod migrate;
mod options;
mod parts;
#[cfg(feature = "postgres")]
mod postgres;
mod registration;
#[cfg(feature = "postgres")]
mod relaying;
mod relays;
mod restored;
mod schema;
mod sink_options;
mod start_watch;
mod threads;
mod watchdog;

pub use self::core::{Core, CoreOptions};
pub use daemon::serve;
pub use error::AppError;
pub use host::Host;
pub use inspect::{dump_store, verify_storage, verify_store};
pub use migrate::migrate_store;
pub use relays::{Relay, RelayHandle, RelayWorker};
pub use restored::{NewEpoch, begin_epoch, begin_epoch_at};
pub use schema::{apply_schema, print_schema};
pub use sink_options::SinkOptions;
