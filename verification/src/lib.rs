//! Proof of what orderd promises: the code that ships, over a simulated disk, clock and sinks.

pub mod arguments;
pub mod backups;
pub mod bugs;
pub mod campaign;
pub mod clock;
pub mod coverage;
pub mod daemon;
pub mod damage;
pub mod delivery;
pub mod disk;
pub mod environment;
pub mod fingerprint;
mod host;
pub mod model;
pub mod oracle;
pub mod rng;
pub mod sim;
pub mod sink;
pub mod states;
pub mod workload;
