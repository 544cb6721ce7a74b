//! A subscription with a program that misbehaves and an operator at work: one seed, one run, one thread, by the daemon's
//! own wiring. The program fails, rejects, vanishes, answers late and twice; the daemon is killed, or loses its power;
//! in the end every event was delivered or skipped on record.

mod campaign;
mod daemon;
mod expectations;
mod item;
mod operator;
mod program;
mod seen;
mod world;

pub use campaign::{SEEDS_FOR_ALL_THINGS, SinkLives, Tally};
pub use seen::{Seen, Thing};
pub use world::{Outcome, run};
