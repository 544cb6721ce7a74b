//! What the fuzzers in `fuzz/` run, and what the tests redo: one function a target. It is compiled for those two only.
//!
//! A target takes any bytes. It panics if orderd does, or if what orderd makes of them breaks a rule that holds for all
//! bytes: what is accepted is what would be written again, damage hides nothing that stands before it, a refusal
//! changes nothing. Checksums would keep a fuzzer out of everything behind them, so most targets take their input as a
//! recipe: they write what orderd would write, and then do to it what the input says, with checksums mended if it says
//! so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a target speaks by panicking"
)]

pub(crate) mod base;
mod checkpoint;
mod configuration;
mod cursor;
mod edits;
mod frame;
mod input;
mod line;
mod plan;
mod segment;
mod store;

pub use checkpoint::checkpoint;
pub use configuration::configuration;
pub use cursor::cursor;
pub use frame::frame;
pub use line::line;
pub use plan::plan;
pub use segment::segment;
pub use store::store;

/// A target.
pub type Target = fn(&[u8]);

/// The targets by name: `fuzz/fuzz_targets/{name}.rs` runs one, `fuzz/seeds/{name}/` is where it begins.
pub const TARGETS: [(&str, Target); 8] = [
    ("checkpoint", checkpoint),
    ("configuration", configuration),
    ("cursor", cursor),
    ("frame", frame),
    ("line", line),
    ("plan", plan),
    ("segment", segment),
    ("store", store),
];

#[cfg(test)]
#[path = "seeds_test.rs"]
mod tests;
