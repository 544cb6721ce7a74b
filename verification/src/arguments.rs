//! The arguments of the programs: `--name value`, and flags.

use std::process::exit;

/// What was given.
pub struct Arguments {
    usage: &'static str,
    given: Vec<String>,
}

impl Arguments {
    /// Those of this process.
    #[must_use]
    pub fn of_process(usage: &'static str) -> Self {
        Self { usage, given: std::env::args().skip(1).collect() }
    }

    /// The number behind `name`.
    pub fn number(&mut self, name: &str) -> Option<u64> {
        let at = self.given.iter().position(|given| given == name)?;
        let value = self.given.get(at + 1).and_then(|value| value.replace('_', "").parse().ok());
        if value.is_none() {
            self.refuse(&format!("{name} takes a number"));
        }
        self.given.drain(at..at + 2);
        value
    }

    /// The seeds that `--from SEED` and `--seeds N` mean.
    pub fn seeds(&mut self, count: u64) -> std::ops::Range<u64> {
        let from = self.number("--from").unwrap_or(0);
        from..from.saturating_add(self.number("--seeds").unwrap_or(count))
    }

    /// The text behind `name`.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.given.iter().position(|given| given == name)?;
        if at + 1 == self.given.len() {
            self.refuse(&format!("{name} takes a value"));
        }
        self.given.drain(at..at + 2).nth(1)
    }

    /// The part behind `name`, written `2/16`: which, from 0, and of how many.
    pub fn part(&mut self, name: &str) -> Option<(u64, u64)> {
        let at = self.given.iter().position(|given| given == name)?;
        let text = self.given.get(at + 1).and_then(|value| value.split_once('/'));
        let part = text.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let part = part.filter(|(number, of)| number < of);
        if part.is_none() {
            self.refuse(&format!("{name} takes a part like 2/16, counted from 0"));
        }
        self.given.drain(at..at + 2);
        part
    }

    /// Whether `name` was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let at = self.given.iter().position(|given| given == name);
        at.map(|at| self.given.remove(at)).is_some()
    }

    /// Nothing else may have been given.
    pub fn finish(self) {
        if let Some(unknown) = self.given.first() {
            self.refuse(&format!("unknown argument {unknown}"));
        }
    }

    /// Ends the process because of what was given.
    pub fn refuse(&self, problem: &str) -> ! {
        eprintln!("{problem}\nusage: {}", self.usage);
        exit(64);
    }
}
