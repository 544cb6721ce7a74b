//! Proof of what orderd promises: the code that ships, over a simulated disk, clock and sinks.

pub mod arguments;
pub mod bugs;
pub mod clients;
pub mod clock;
pub mod conclude;
pub mod daemon;
pub mod damage;
pub mod disk;
pub mod fingerprint;
pub mod judge;
pub mod marks;
pub mod model;
pub mod pool;
pub mod rng;
pub mod sim;
pub mod sink;
pub mod states;
pub mod surroundings;
