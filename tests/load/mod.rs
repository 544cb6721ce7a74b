//! Load that remembers: clients that send everything that may be sent, send again what was not answered, and write
//! down what they saw; a witness who writes down what the sink and `dump` showed, and has it all judged.
//!
//! Every random choice follows from one seed. What the machine does with its timing does not: a seed repeats the
//! commands and the moments, not the interleaving.
#![allow(dead_code, reason = "each part serves some tests, none serves all")]

mod clock;
mod commands;
mod recorder;
mod rng;
mod workers;

pub use clock::Clock;
pub use commands::{Command, Commands};
pub use recorder::{Recorder, Summary, wait_relayed};
pub use rng::Rng;
pub use workers::{Task, Workers};

/// The seed of a test: `ORDERD_SEED`, or the clock. Printed, so that a failure can be run again.
pub fn seed(test: &str) -> u64 {
    let seed = match std::env::var("ORDERD_SEED") {
        Ok(text) => text.parse().expect("ORDERD_SEED is a number"),
        Err(_) => {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
            u64::try_from(since.expect("a clock after 1970").as_micros()).expect("64 bits of time")
        }
    };
    println!("{test}: ORDERD_SEED={seed}");
    seed
}

/// A number from the environment, for tests that can run for longer.
pub fn count(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => default,
    }
}
