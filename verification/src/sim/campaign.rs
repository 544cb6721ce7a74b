//! Many seeds, and what they came to together.

use std::fmt;

use super::{Outcome, run};
use crate::campaign::Battery;
use crate::coverage::Coverage;
use crate::disk::Call;

/// One in this many seeds is run twice, and must leave the same trace.
const REPEATED: u64 = 100;
/// With this many seeds, everything that happens sometimes must have happened.
pub const SEEDS_FOR_ALL_MARKS: u64 = 20_000;

/// Every seed is a life.
pub struct Lives;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many of them were run twice.
    pub repeated: u64,
    marks: Coverage,
    /// How many faults were injected, by kind of call.
    injected: [u64; Call::COUNT],
    commands: u64,
    plans: u64,
    starts: u64,
}

impl Battery for Lives {
    type Outcome = Outcome;
    type Tally = Tally;
    const CASE: &'static str = "seed";

    fn replay(seed: u64) -> String {
        format!("cargo run --release -p orderd-verification --bin sim -- --seed {seed}")
    }

    fn run(&self, seed: u64) -> Outcome {
        let mut outcome = run(seed, false);
        if seed.is_multiple_of(REPEATED) && run(seed, false).trace != outcome.trace {
            outcome.verdict = Err("NONDETERMINISTIC: two runs of this seed differ".to_owned());
        }
        outcome
    }

    fn count(&self, tally: &mut Tally, seed: u64, outcome: Outcome) -> Vec<String> {
        tally.repeated += u64::from(seed.is_multiple_of(REPEATED));
        tally.marks.join(&outcome.marks);
        for (total, count) in tally.injected.iter_mut().zip(outcome.injected) {
            *total += count;
        }
        tally.commands += outcome.commands;
        tally.plans += outcome.plans;
        tally.starts += outcome.starts;
        outcome.verdict.err().map(|problem| Self::failure(seed, &problem)).into_iter().collect()
    }

    fn never_seen(tally: &Tally, seeds: u64) -> Vec<String> {
        let never = if seeds >= SEEDS_FOR_ALL_MARKS { tally.marks.never() } else { Vec::new() };
        never.iter().map(|mark| mark.text().trim().to_owned()).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repeated, commands, plans, starts, .. } = self;
        writeln!(
            f,
            "{repeated} of them twice; {commands} commands answered and checked, {plans} plans, {starts} starts"
        )?;
        let faults: Vec<_> =
            Call::ALL.iter().map(|call| format!("{} {}", call.name(), self.injected[*call as usize])).collect();
        writeln!(f, "faults injected: {}", faults.join(", "))?;
        write!(f, "{}", self.marks)
    }
}
