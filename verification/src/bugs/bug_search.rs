//! Looks for each bug with the simulation.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Bug;
use crate::campaign::Battery;
use crate::sim::{run, run_with};

/// Where a bug was caught.
#[derive(Debug, Clone)]
pub struct Catch {
    /// The bug.
    pub bug: Bug,
    /// The first seed that fails with it, and passes without.
    pub seed: u64,
    /// What was seen.
    pub symptom: String,
}

/// Every bug, each with this many seeds at most.
pub struct BugSearch {
    /// Seeds are tried from 0 on.
    pub seeds_max: u64,
}

/// Where bugs were caught.
#[derive(Debug, Default)]
pub struct Caught(Vec<Catch>);

impl BugSearch {
    /// Where the bug is caught first; `None` if it goes unseen.
    fn search(&self, bug: Bug) -> Option<Catch> {
        (0..self.seeds_max).find_map(|seed| {
            let symptom = symptom(seed, bug)?;
            run(seed, false).verdict.is_ok().then_some(Catch { bug, seed, symptom })
        })
    }
}

impl Battery for BugSearch {
    type Outcome = Option<(Bug, Option<Catch>)>;
    type Tally = Caught;
    const CASE: &'static str = "bug";

    fn replay(number: u64) -> String {
        format!("cargo run --release -p orderd-verification --bin bugs -- --bug {number}")
    }

    fn run(&self, number: u64) -> Self::Outcome {
        let bug = *Bug::ALL.get(usize::try_from(number).ok()?)?;
        Some((bug, self.search(bug)))
    }

    fn count(&self, caught: &mut Caught, number: u64, outcome: Self::Outcome) -> Vec<String> {
        match outcome {
            Some((bug, None)) => vec![Self::failure(number, &format!("{bug:?} MISSED in {} seeds", self.seeds_max))],
            Some((_, Some(catch))) => {
                caught.0.push(catch);
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Catch { bug, seed, symptom }| writeln!(f, "{bug:?}: seed {seed}: {symptom}"))
    }
}

/// What is wrong with this seed's run; a daemon that panics is wrong as well.
fn symptom(seed: u64, bug: Bug) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| run_with(seed, false, Some(bug)).verdict)) {
        Ok(Ok(())) => None,
        Ok(Err(symptom)) => Some(symptom),
        Err(_) => Some("a panic".to_owned()),
    }
}
