//! The configuration: flat TOML, strict, with the keys that all connectors have and those of one kind.

mod common;
mod error;
mod load;
mod secret;
mod tls;

pub use common::{Common, Defaults};
pub use error::ConfigError;
pub(crate) use load::{Loaded, load};
pub use secret::{Secret, SecretFile};
pub use tls::{ClientPem, TlsFiles, TlsPem};
