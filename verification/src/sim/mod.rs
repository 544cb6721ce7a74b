//! The simulation: one seed, one run, one thread.

mod backups;
mod campaign;
mod restart;
mod steps;
mod swarm;
mod world;

pub use campaign::{Lives, SEEDS_FOR_ALL_MARKS, Tally};
pub(crate) use swarm::options;
pub use world::{Outcome, run, run_with};
