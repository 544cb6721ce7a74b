//! Many scripts, and what they came to together.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Size;
use super::case_id::CaseId;
use super::explorer::{Counts, Met, walk};
use super::scenarios::SCENARIOS;
use crate::bugs::Bug;
use crate::campaign::Battery;

/// Scripts, until `states` distinct states were met, but through every scenario once at least.
pub struct Scripts {
    states: u64,
    size: Size,
    met: Met,
}

impl Scripts {
    /// None was gone through yet.
    #[must_use]
    pub fn new(states: u64, size: Size) -> Self {
        Self { states, size, met: Met::default() }
    }
}

impl Battery for Scripts {
    type Outcome = Counts;
    type Tally = Counts;
    const CASE: &'static str = "script";

    fn replay(number: u64) -> String {
        CaseId::now(number).to_string()
    }

    fn run(&self, number: u64) -> Counts {
        let script = CaseId::of_script(number, &self.size, None);
        walk(script, &self.size, &self.met, &|| self.is_enough(number))
    }

    fn count(&self, tally: &mut Counts, _: u64, mut counts: Counts) -> Vec<String> {
        let failures = std::mem::take(&mut counts.failures);
        tally.join(&counts);
        failures.iter().map(|(address, problem)| format!("{problem}\n  {address}")).collect()
    }

    fn is_enough(&self, scripts: u64) -> bool {
        scripts >= SCENARIOS.len() as u64 && self.met.states.count() >= self.states
    }
}

/// Looks for a deliberate bug, in this many variations of every scenario: where and how it was seen, by a script that
/// fails with it and passes without; none if it goes unseen.
#[must_use]
pub fn caught(bug: Bug, variations: u64) -> Option<(CaseId, String)> {
    let size = Size::SMALL;
    (0..variations * SCENARIOS.len() as u64).find_map(|number| {
        let failures = |bug| {
            let script = CaseId::of_script(number, &size, bug);
            let walked = catch_unwind(AssertUnwindSafe(|| walk(script, &size, &Met::default(), &|| false)));
            walked.map_or_else(|_| vec![(script, "a panic".to_owned())], |counts| counts.failures)
        };
        let first = failures(Some(bug)).into_iter().next()?;
        failures(None).is_empty().then_some(first)
    })
}

impl Counts {
    fn join(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.points += other.points;
        self.enumerated += other.enumerated;
        self.distinct += other.distinct;
        self.interrupted += other.interrupted;
        self.second += other.second;
        self.commands += other.commands;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, enumerated, distinct, interrupted, second, commands, .. } = self;
        writeln!(f, "{} scenarios, {points} points at which the power was cut", SCENARIOS.len())?;
        writeln!(f, "{enumerated} states enumerated, {distinct} of them distinct, each recovered twice and worked on")?;
        writeln!(
            f,
            "{interrupted} recoveries interrupted at every call: {second} distinct states more, each recovered"
        )?;
        writeln!(f, "{commands} commands answered and checked")
    }
}
