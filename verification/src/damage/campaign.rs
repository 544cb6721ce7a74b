//! Many cases, and what they came to together.

use std::fmt;
use std::time::{Duration, Instant};

use orderd::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR};

use super::case::{Case, Kind};
use super::cases::Cases;
use super::change::Damaged;
use super::outcome::{Found, Outcome};
use super::tally::Tally;
use super::trial::Trial;
use crate::pool;
use crate::rng::Rng;

/// Stop after this many failures.
const FAILURES_MAX: usize = 20;

/// One of this many parts of all cases; together they are all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 0.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Part {
    /// All cases.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// Whether a case is in it: one of each `of` in a row, at another place every time, or a part would hold the same
    /// bit of every byte.
    #[must_use]
    pub fn holds(self, case: u64) -> bool {
        let (row, place) = (case / self.of, case % self.of);
        (place + Rng::new(row).below(self.of)) % self.of == self.number
    }
}

/// What came of many cases.
#[derive(Debug)]
pub struct Summary {
    /// The counts.
    pub tally: Tally,
    /// What failed: the case, and why; the first few.
    pub failures: Vec<(u64, String)>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The one command that tries a case again.
#[must_use]
pub fn replay(case: u64) -> String {
    format!("cargo run --release -p orderd-verification --bin damage -- --case {case}")
}

impl Cases {
    /// What a case does, in words, and what came of it.
    ///
    /// # Errors
    /// A promise is broken.
    pub fn run(&self, case: &Case) -> Result<(Found, String), String> {
        let store = &self.stores[case.store];
        let Some(damaged) = Damaged::of(store, case)? else {
            return Ok((Found { outcome: Outcome::Unchanged, told: false }, "no byte changed".to_owned()));
        };
        match Trial::new(store, &damaged).run() {
            Ok(found) => Ok((found, damaged.what)),
            Err(problem) => Err(format!("{}: {problem}", damaged.what)),
        }
    }

    /// What a case's file is for.
    fn purpose(&self, case: &Case) -> &'static str {
        let store = &self.stores[case.store];
        let path = match case.kind {
            Kind::Returned => store.gone.get(case.file).map(|(path, _)| path),
            _ => store.files.get(case.file).map(|file| &file.path),
        };
        let of = |dir: &str| path.is_some_and(|path| path.starts_with(dir));
        match () {
            () if of(JOURNAL_DIR) => "journal",
            () if of(CHECKPOINTS_DIR) => "checkpoint",
            () if of(CURSORS_DIR) => "cursor",
            () => "identity",
        }
    }
}

/// Tries the cases that are wanted; stops after a few failures.
#[must_use]
pub fn run_many(cases: &Cases, threads: usize, wanted: impl Fn(&Case) -> bool + Sync) -> Summary {
    let begin = Instant::now();
    let mut summary = Summary { tally: Tally::default(), failures: Vec::new(), elapsed: Duration::ZERO };
    let work = |number: u64| {
        let case = cases.get(number).filter(&wanted)?;
        Some((case, cases.run(&case)))
    };
    pool::each(0..cases.count(), threads, replay, work, |done| {
        match done {
            None => {}
            Some((case, Ok((found, _)))) => summary.tally.add(case.kind, cases.purpose(&case), found),
            Some((case, Err(problem))) => summary.failures.push((case.number, problem)),
        }
        summary.failures.len() < FAILURES_MAX
    });
    summary.elapsed = begin.elapsed();
    summary
}

impl Summary {
    /// Whether no promise was broken.
    ///
    /// # Errors
    /// What is wrong, with the commands that show it.
    pub fn verdict(&self) -> Result<(), String> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let failures = self.failures.iter();
        let failures: Vec<String> =
            failures.map(|(case, problem)| format!("case {case}: {problem}\n  {}", replay(*case))).collect();
        Err(failures.join("\n"))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, seconds) = (self.tally.cases(), self.elapsed.as_secs_f64());
        writeln!(f, "{cases} cases in {seconds:.1} s")?;
        write!(f, "{}", self.tally)
    }
}
