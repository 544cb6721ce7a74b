//! The simulation: one seed, one run, one thread.

mod campaign;
mod restart;
mod steps;
mod swarm;
mod world;

pub use campaign::{SEEDS_FOR_ALL_MARKS, Summary, replay, run_many};
pub(crate) use swarm::options;
pub use world::{Outcome, run, run_with};
