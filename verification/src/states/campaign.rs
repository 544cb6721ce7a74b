//! Many scripts, and what they came to together.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::Size;
use super::case_id::CaseId;
use super::explorer::{Counts, Met, walk};
use super::scenarios::SCENARIOS;
use crate::bugs::Bug;
use crate::pool;

/// After this many failures it is enough.
const FAILURES_MAX: usize = 5;

/// What came of many scripts.
#[derive(Debug, Default)]
pub struct Summary {
    /// What was counted.
    pub counts: Counts,
    /// How long it took.
    pub elapsed: Duration,
}

/// Goes through scripts until `states` distinct states were met, but through every scenario once at least; stops after
/// a few failures.
#[must_use]
pub fn run_many(states: u64, size: &Size, threads: usize) -> Summary {
    let begin = Instant::now();
    let mut summary = Summary::default();
    let met = Met::default();
    let once = SCENARIOS.len() as u64;
    let work = |number: u64| {
        let enough = || number >= once && met.states.count() >= states;
        walk(CaseId::of_script(number, size, None), size, &met, &enough)
    };
    let mut taken = 0;
    pool::each(
        0..u64::MAX,
        threads,
        |number| CaseId::now(number).to_string(),
        work,
        |counts| {
            summary.counts.join(counts);
            taken += 1;
            let more = taken < once || met.states.count() < states;
            more && summary.counts.failures.len() < FAILURES_MAX
        },
    );
    summary.elapsed = begin.elapsed();
    summary
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
    fn join(&mut self, other: Self) {
        self.scripts += other.scripts;
        self.points += other.points;
        self.enumerated += other.enumerated;
        self.distinct += other.distinct;
        self.interrupted += other.interrupted;
        self.second += other.second;
        self.commands += other.commands;
        self.failures.extend(other.failures);
    }
}

impl Summary {
    /// Whether no promise was broken.
    ///
    /// # Errors
    /// What is wrong, with the command that shows it.
    pub fn verdict(&self) -> Result<(), String> {
        let failures: Vec<_> =
            self.counts.failures.iter().map(|(address, problem)| format!("{problem}\n  {address}")).collect();
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} scenarios in {:.1} s", SCENARIOS.len(), self.elapsed.as_secs_f64())?;
        write!(f, "{}", self.counts)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scripts, points, enumerated, distinct, interrupted, second, commands, failures } = self;
        writeln!(f, "{scripts} scripts, {points} points at which the power was cut")?;
        writeln!(f, "{enumerated} states enumerated, {distinct} of them distinct, each recovered twice and worked on")?;
        writeln!(
            f,
            "{interrupted} recoveries interrupted at every call: {second} distinct states more, each recovered"
        )?;
        writeln!(f, "{commands} commands answered and checked; {} failures", failures.len())
    }
}
