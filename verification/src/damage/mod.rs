//! Every damage to a store, one after the other: each bit, each length, each sector, each file.
//!
//! The store is made by the code that ships, in two forms. A case damages a copy in one place; then `verify` looks at
//! it, the daemon starts on it, the sinks drain, and the daemon starts again.

mod builder;
mod campaign;
mod case;
mod cases;
mod change;
mod outcome;
mod refusal;
mod store;
mod tally;
mod trial;

pub use builder::stores;
pub use campaign::{Chosen, Part};
pub use case::{Case, Kind};
pub use cases::Cases;
pub use change::Damaged;
pub use outcome::{Found, Outcome};
pub use refusal::Refusal;
pub use store::{Sink, Store, StoredFile};
pub use tally::Tally;
pub use trial::{Told, Trial};
