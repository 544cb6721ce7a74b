//! Many seeds, and what they came to together.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Outcome, run};
use crate::coverage::Coverage;
use crate::disk::Call;
use crate::pool;

/// One in this many seeds is run twice, and must leave the same trace.
const REPEATED: u64 = 100;
/// With this many seeds, everything that happens sometimes must have happened.
pub const SEEDS_FOR_ALL_MARKS: u64 = 20_000;

/// What came of many seeds.
#[derive(Debug)]
pub struct Summary {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many of them were run twice.
    pub repeated: u64,
    /// How often everything was seen.
    pub marks: Coverage,
    /// How many faults were injected, by kind of call.
    pub injected: [u64; Call::COUNT],
    /// How many commands were answered and checked.
    pub commands: u64,
    /// How many plans were checked.
    pub plans: u64,
    /// How many starts there were.
    pub starts: u64,
    /// What failed: the seed, and why; the first few.
    pub failures: Vec<(u64, String)>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The one command that runs a seed again.
#[must_use]
pub fn replay(seed: u64) -> String {
    format!("cargo run --release -p orderd-verification --bin sim -- --seed {seed}")
}

/// Runs `count` seeds from `first` on; stops after a few failures.
#[must_use]
pub fn run_many(first: u64, count: u64, threads: usize) -> Summary {
    let begin = Instant::now();
    let mut summary = Summary {
        seeds: 0,
        repeated: 0,
        marks: Coverage::default(),
        injected: [0; Call::COUNT],
        commands: 0,
        plans: 0,
        starts: 0,
        failures: Vec::new(),
        elapsed: Duration::ZERO,
    };
    let work = |seed: u64| {
        let mut outcome = run(seed, false);
        let repeated = seed.is_multiple_of(REPEATED);
        if repeated && run(seed, false).trace != outcome.trace {
            outcome.verdict = Err("NONDETERMINISTIC: two runs of this seed differ".to_owned());
        }
        (outcome, repeated)
    };
    pool::each(first..first + count, threads, replay, work, |(outcome, repeated): (Outcome, bool)| {
        summary.add(outcome, repeated);
        summary.failures.len() < 5
    });
    summary.elapsed = begin.elapsed();
    summary
}

impl Summary {
    fn add(&mut self, outcome: Outcome, repeated: bool) {
        self.seeds += 1;
        self.repeated += u64::from(repeated);
        self.marks.join(&outcome.marks);
        for (total, count) in self.injected.iter_mut().zip(outcome.injected) {
            *total += count;
        }
        self.commands += outcome.commands;
        self.plans += outcome.plans;
        self.starts += outcome.starts;
        if let Err(problem) = outcome.verdict {
            self.failures.push((outcome.seed, problem));
        }
    }

    /// Whether no promise was broken, and enough was seen.
    ///
    /// # Errors
    /// What is wrong, with the command that shows it.
    pub fn verdict(&self) -> Result<(), String> {
        let failures: Vec<String> = self
            .failures
            .iter()
            .map(|(seed, problem)| format!("seed {seed}: {problem}\n  {}", replay(*seed)))
            .collect();
        if !failures.is_empty() {
            return Err(failures.join("\n"));
        }
        let never = self.marks.never();
        if self.seeds >= SEEDS_FOR_ALL_MARKS && !never.is_empty() {
            let texts: Vec<_> = never.iter().map(|mark| mark.text().trim()).collect();
            return Err(format!("never seen in {} seeds: {}", self.seeds, texts.join("; ")));
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, repeated, commands, plans, starts, elapsed, .. } = self;
        writeln!(f, "{seeds} seeds ({repeated} of them twice) in {:.1} s", elapsed.as_secs_f64())?;
        writeln!(f, "{commands} commands answered and checked, {plans} plans, {starts} starts")?;
        let faults: Vec<_> =
            Call::ALL.iter().map(|call| format!("{} {}", call.name(), self.injected[*call as usize])).collect();
        writeln!(f, "faults injected: {}", faults.join(", "))?;
        write!(f, "{}", self.marks)
    }
}
