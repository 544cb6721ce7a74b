//! How often everything came up, by kind of damage.

use std::collections::BTreeMap;
use std::fmt;

use super::case::Kind;
use super::outcome::{Found, Outcome};

/// Counts of one kind of damage.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    outcomes: [u64; Outcome::COUNT],
    /// Of those that started: how often `verify` found nothing.
    silent: u64,
}

/// Counts of all.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    kinds: BTreeMap<Kind, Counts>,
    /// By what the file is for and what became of it: how often `verify` found nothing where the start did not refuse.
    silent: BTreeMap<(&'static str, Outcome), u64>,
}

impl Tally {
    /// Counts a case; `file` says what the file is for.
    pub fn add(&mut self, kind: Kind, file: &'static str, found: Found) {
        let counts = self.kinds.entry(kind).or_default();
        counts.outcomes[found.outcome as usize] += 1;
        if !found.told && found.outcome != Outcome::Unchanged {
            counts.silent += 1;
            *self.silent.entry((file, found.outcome)).or_default() += 1;
        }
    }

    /// How often an outcome came up.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.kinds.values().map(|counts| counts.outcomes[outcome as usize]).sum()
    }

    /// How many cases there were.
    #[must_use]
    pub fn cases(&self) -> u64 {
        Outcome::ALL.iter().map(|outcome| self.count(*outcome)).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, counts) in &self.kinds {
            let seen = Outcome::ALL.iter().map(|outcome| (outcome, counts.outcomes[*outcome as usize]));
            let seen: Vec<_> = seen
                .filter(|(_, count)| *count > 0)
                .map(|(outcome, count)| format!("{} {count}", outcome.text()))
                .collect();
            let (cases, text) = (counts.outcomes.iter().sum::<u64>(), kind.text());
            writeln!(f, "{cases:>9} {text}: {}; verify silent {}", seen.join(", "), counts.silent)?;
        }
        writeln!(f, "where it started and verify found nothing:")?;
        for ((file, outcome), count) in &self.silent {
            writeln!(f, "{count:>9} {file}: {}", outcome.text())?;
        }
        Ok(())
    }
}
