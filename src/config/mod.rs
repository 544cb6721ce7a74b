//! The configuration: every limit, with its default and its check.
//!
//! The file is read strictly. A key that nobody knows, a value of the wrong type and a value that cannot work are
//! errors, and one reading tells all of them.

mod configuration;
mod consistency;
mod daemon;
mod error;
mod find;
mod limits;
mod origin;
mod paths;
mod read;
mod render;
mod section;
mod sinks;
mod store;
mod users;
mod warnings;

pub use configuration::Config;
pub use daemon::{DaemonConfig, LogConfig, LogFormat, LogLevel, SOCKET_PATH_BYTES_MAX};
pub use error::{ConfigError, InvalidConfig, Problem};
pub use find::CONFIG_VARIABLE;
pub use limits::{CheckpointConfig, DeliveryConfig, ExecutorConfig, JournalConfig, RelayConfig, ServerConfig};
pub use origin::Origin;
pub use render::NotUtf8;
pub use sinks::{SinkConfig, SinkKind, SinkStart};
pub use store::{StoreConfig, StoreType};

#[cfg(test)]
mod config_test;
