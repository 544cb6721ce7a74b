//! The stored forms: what journal bodies and checkpoints hold, apart from the types that the code works with.
//!
//! They are postcard (<https://postcard.jamesmunns.com/wire-format>) of the structs and enums of this folder, in the order
//! of their fields and variants. Fields and variants are only ever added, with a new version of what contains them: the
//! first byte of a plan's body, the first byte of a checkpoint's meta section. Golden tests hold the bytes. Reading checks
//! that each value is in the range that its type allows; what does not fit is damage.

mod decision;
mod event;
mod lane;
mod order;
mod plan;
mod sink;

pub(super) use decision::StoredDecision;
pub use decision::{decode_decision, encode_decision};
pub(super) use event::{StoredEntry, StoredPublished, stored_bytes};
pub(super) use lane::StoredLane;
pub use order::OrderTimes;
pub(super) use order::{StoredOrder, StoredStatus, StoredUpdate, timestamp};
pub(super) use plan::{PlanContext, encode};
pub use plan::{PlanRecord, PlanRecordError};
pub(super) use sink::StoredSink;

/// A stored value that no code has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored {0} is out of its range")]
pub struct OutOfRange(pub &'static str);
