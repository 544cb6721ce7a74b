//! A journal's store, brought into an empty database: part by part, each a transaction that also notes how far it is.

mod bring;
mod check;
mod read_back;
mod target;

pub use bring::{BroughtCommand, SinkProgress};
pub use check::check_event;
pub use read_back::{BroughtHead, Counts};
pub use target::{Begun, Journal, Mark, Migration, MigrationStep};
