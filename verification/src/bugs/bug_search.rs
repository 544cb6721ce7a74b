//! Looks for a bug with the simulation.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Bug;
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

/// Tries seeds from 0 on, at most `seeds_max`; `None` if the bug goes unseen.
#[must_use]
pub fn hunt(bug: Bug, seeds_max: u64) -> Option<Catch> {
    (0..seeds_max).find_map(|seed| {
        let symptom = symptom(seed, bug)?;
        run(seed, false).verdict.is_ok().then_some(Catch { bug, seed, symptom })
    })
}

/// What is wrong with this seed's run; a daemon that panics is wrong as well.
fn symptom(seed: u64, bug: Bug) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| run_with(seed, false, Some(bug)).verdict)) {
        Ok(Ok(())) => None,
        Ok(Err(symptom)) => Some(symptom),
        Err(_) => Some("a panic".to_owned()),
    }
}
