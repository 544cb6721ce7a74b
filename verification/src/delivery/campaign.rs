//! Many seeds, and what they came to together.

use std::fmt;

use super::{Outcome, Seen, run};
use crate::pool;

/// With this many seeds, everything that happens sometimes must have happened.
pub const SEEDS_FOR_ALL_THINGS: u64 = 500;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many events they had together.
    pub events: u64,
    /// How often everything was seen.
    pub seen: Seen,
    /// What failed: the seed, and why; the first few.
    pub failures: Vec<(u64, String)>,
}

/// Runs `count` seeds from `first` on; stops after a few failures.
#[must_use]
pub fn run_many(first: u64, count: u64, threads: usize) -> Summary {
    let mut summary = Summary::default();
    pool::each(
        first..first + count,
        threads,
        replay,
        |seed| (seed, run(seed, false)),
        |(seed, outcome): (u64, Outcome)| {
            summary.seeds += 1;
            summary.events += outcome.events;
            summary.seen.join(&outcome.seen);
            if let Err(problem) = outcome.verdict {
                summary.failures.push((seed, problem));
            }
            summary.failures.len() < 5
        },
    );
    summary
}

fn replay(seed: u64) -> String {
    format!("cargo run --release -p orderd-verification --bin delivery -- --seed {seed}")
}

impl Summary {
    /// Whether no promise was broken, and enough was seen.
    ///
    /// # Errors
    /// What is wrong, with the command that shows it.
    pub fn verdict(&self) -> Result<(), String> {
        let failures =
            self.failures.iter().map(|(seed, problem)| format!("seed {seed}: {problem}\n  {}", replay(*seed)));
        let failures: Vec<String> = failures.collect();
        if !failures.is_empty() {
            return Err(failures.join("\n"));
        }
        let never: Vec<_> = self.seen.lines().filter(|(count, _)| *count == 0).map(|(_, text)| text).collect();
        if self.seeds >= SEEDS_FOR_ALL_THINGS && !never.is_empty() {
            return Err(format!("never seen in {} seeds: {}", self.seeds, never.join("; ")));
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} events", self.seeds, self.events)?;
        for (count, text) in self.seen.lines() {
            writeln!(f, "{count:>12}  {text}")?;
        }
        Ok(())
    }
}
