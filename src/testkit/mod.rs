//! Doubles of the ports for unit tests and fuzzers: one of each. They are here and not in a crate of their own because
//! both sides must mean the same traits (docs/decisions/doubles-in-the-crate.md).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a double that cannot do what it is told fails the test"
)]

mod clock;
mod ids;
mod memory;
mod watched;

pub use clock::SteppedClock;
pub use ids::NoIds;
pub use memory::Memory;
pub use watched::Watched;

use crate::journal::StoreId;

/// The store that tests open.
pub const STORE_ID: StoreId = StoreId::from_bytes([7; 16]);
