//! Many cases, and what they came to together.

use orderd::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR};

use super::case::{Case, Kind};
use super::cases::Cases;
use super::change::Damaged;
use super::outcome::{Found, Outcome};
use super::tally::Tally;
use super::trial::Trial;
use crate::campaign::Battery;
use crate::rng::Rng;

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

/// Those cases that are wanted.
pub struct Chosen<'a, F> {
    cases: &'a Cases,
    wanted: F,
}

impl<'a, F: Fn(&Case) -> bool> Chosen<'a, F> {
    /// Cases for which `wanted` holds.
    pub const fn of(cases: &'a Cases, wanted: F) -> Self {
        Self { cases, wanted }
    }
}

impl<F: Fn(&Case) -> bool + Sync> Battery for Chosen<'_, F> {
    type Outcome = Option<(Case, Result<(Found, String), String>)>;
    type Tally = Tally;
    const CASE: &'static str = "case";

    fn replay(case: u64) -> String {
        format!("cargo run --release -p orderd-verification --bin damage -- --case {case}")
    }

    fn wants(&self, number: u64) -> bool {
        self.cases.get(number).is_some_and(|case| (self.wanted)(&case))
    }

    fn run(&self, number: u64) -> Self::Outcome {
        let case = self.cases.get(number)?;
        Some((case, self.cases.run(&case)))
    }

    fn count(&self, tally: &mut Tally, number: u64, done: Self::Outcome) -> Vec<String> {
        match done {
            None => Vec::new(),
            Some((case, Ok((found, _)))) => {
                tally.add(case.kind, self.cases.purpose(&case), found);
                Vec::new()
            }
            Some((_, Err(problem))) => vec![Self::failure(number, &problem)],
        }
    }
}
