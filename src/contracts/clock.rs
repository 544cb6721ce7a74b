//! Where times and new ids come from, so that a simulation can decide both.

use std::time::Duration;

use crate::domain::{OrderId, Timestamp};

/// Two clocks in one: the wall clock, which may jump, and a steady one for time-outs.
pub trait Clock: Send + Sync {
    /// The wall clock's time: for what is told to people and consumers, never for ordering or time-outs.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// Makes ids for orders whose client chose none.
pub trait OrderIds: Send {
    /// A UUIDv7 (RFC 9562, section 5.7) that was never given out before.
    fn next(&mut self, now: Timestamp) -> OrderId;
}
