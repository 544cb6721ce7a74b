//! Many seeds, and what they came to together.

use std::fmt;

use super::{Outcome, Seen, run};
use crate::campaign::Battery;

/// With this many seeds, everything that happens sometimes must have happened.
pub const SEEDS_FOR_ALL_THINGS: u64 = 500;

/// Every seed is a life of one sink.
pub struct SinkLives;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Tally {
    events: u64,
    seen: Seen,
}

impl Battery for SinkLives {
    type Outcome = Outcome;
    type Tally = Tally;
    const CASE: &'static str = "seed";

    fn replay(seed: u64) -> String {
        format!("cargo run --release -p orderd-verification --bin delivery -- --seed {seed}")
    }

    fn run(&self, seed: u64) -> Outcome {
        run(seed, false)
    }

    fn count(&self, tally: &mut Tally, seed: u64, outcome: Outcome) -> Vec<String> {
        tally.events += outcome.events;
        tally.seen.join(&outcome.seen);
        outcome.verdict.err().map(|problem| Self::failure(seed, &problem)).into_iter().collect()
    }

    fn never_seen(tally: &Tally, seeds: u64) -> Vec<String> {
        let never = tally.seen.lines().filter(|(count, _)| *count == 0 && seeds >= SEEDS_FOR_ALL_THINGS);
        never.map(|(_, text)| text.to_owned()).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} events", self.events)?;
        for (count, text) in self.seen.lines() {
            writeln!(f, "{count:>12}  {text}")?;
        }
        Ok(())
    }
}
