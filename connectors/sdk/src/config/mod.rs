//! The configuration: flat TOML, strict, with the keys that all connectors have and those of one kind.

mod common;
mod credentials;
mod error;
mod load;
mod one_or_many;
mod secret;
mod tls;

pub use common::{Common, Defaults};
pub use credentials::Credentials;
pub use error::ConfigError;
pub(crate) use load::{Loaded, load};
pub use one_or_many::OneOrMany;
pub use secret::{Secret, SecretFile};
pub use tls::{ClientPem, TlsFiles, TlsPem};
