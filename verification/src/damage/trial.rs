//! Tries a damaged store: `verify`, a start, the sinks, another start.

use std::sync::{Arc, Mutex};

use orderd::app::{AppError, verify_storage};
use orderd::journal::CHECKPOINTS_DIR;
use orderd::relay::WorkerError;

use super::change::Damaged;
use super::outcome::{Found, Outcome};
use super::refusal::Refusal;
use super::store::Store;
use crate::daemon::{Daemon, StartError};
use crate::disk::{SimDisk, Tree};
use crate::environment::Environment;
use crate::oracle::{audit, judge_sinks, judge_state};
use crate::sink::{Consumer, look};

/// What `verify` said.
#[derive(Debug, Clone)]
pub enum Told {
    /// That nothing is wrong.
    Sound,
    /// That the last batch is unfinished.
    Torn,
    /// That something is damaged.
    Damaged(String),
    /// That something was written by a newer version.
    Version(String),
}

/// One damaged store, and what is tried on it.
pub struct Trial<'a> {
    store: &'a Store,
    damaged: &'a Damaged,
}

impl<'a> Trial<'a> {
    /// A trial of a damaged copy of `store`.
    #[must_use]
    pub const fn new(store: &'a Store, damaged: &'a Damaged) -> Self {
        Self { store, damaged }
    }

    /// Tries it.
    ///
    /// # Errors
    /// A promise is broken.
    pub fn run(&self) -> Result<Found, String> {
        let told = self.verify()?;
        let around = self.surroundings();
        let outcome = match Daemon::start(&around) {
            Ok(daemon) => self.started(daemon, &around, &told),
            Err(error) => self.refused(&error, &around.disk.tree(), &told),
        }?;
        Ok(Found { outcome, told: !matches!(told, Told::Sound) })
    }

    /// Whoever has lost a cursor begins again: what it saw before says nothing about what it is to see.
    fn surroundings(&self) -> Environment {
        let mut around = self.store.around(self.damaged.tree.clone());
        for (sink, cursor) in around.sinks.iter_mut().zip(&self.store.sinks) {
            if self.damaged.removes(&cursor.path) {
                sink.consumer = Arc::new(Mutex::new(Consumer::default()));
            }
        }
        around
    }

    /// Reads the whole store as `orderd verify` does.
    fn verify(&self) -> Result<Told, String> {
        let disk = SimDisk::with_tree(self.damaged.tree.clone(), 1);
        let said = verify_storage(Arc::new(disk.clone()));
        self.is_untouched(&disk.tree(), "verify")?;
        match said {
            Ok(report) if report.contains("unfinished batch") => Ok(Told::Torn),
            Ok(_) => Ok(Told::Sound),
            Err(AppError::Damaged(text)) => {
                Refusal { by: "verify", text: &text }.check(self.store, self.damaged)?;
                Ok(Told::Damaged(text))
            }
            Err(AppError::Config(text)) => {
                Refusal { by: "verify", text: &text }.check_version(self.damaged)?;
                Ok(Told::Version(text))
            }
            Err(error) => Err(format!("verify ends otherwise: {error}")),
        }
    }

    fn is_untouched(&self, after: &Tree, by: &str) -> Result<(), String> {
        let same = self.damaged.tree.contents() == after.contents();
        if same { Ok(()) } else { Err(format!("{by}: bytes changed")) }
    }

    /// The start was refused: for a reason that is told, with every byte as it was, and `verify` knows it, too.
    ///
    /// # Errors
    /// Something else happened.
    pub fn refused(&self, error: &StartError, after: &Tree, told: &Told) -> Result<Outcome, String> {
        self.is_untouched(after, &format!("refused ({error:?})"))?;
        if matches!(told, Told::Sound | Told::Torn) {
            return Err(format!("verify finds nothing, and the start is refused: {error:?}"));
        }
        match error {
            StartError::Damaged(text) => {
                Refusal { by: "the start", text }.check(self.store, self.damaged)?;
                Ok(if matches!(told, Told::Version(_)) { Outcome::VersionAsDamage } else { Outcome::Refused })
            }
            StartError::Version(text) => {
                Refusal { by: "the start", text }.check_version(self.damaged)?;
                Ok(Outcome::Version)
            }
            StartError::Io(_) => Err(format!("it ends otherwise: {error:?}")),
        }
    }

    /// It started: then everything is there, and every sink gets everything, or a worker says what is damaged.
    ///
    /// # Errors
    /// Something is lost, skipped or wrong.
    pub fn started(&self, daemon: Daemon, around: &Environment, told: &Told) -> Result<Outcome, String> {
        let model = &self.store.model;
        judge_state(model, &daemon)?;
        let mut outcome = self.report(&daemon)?.max(self.cursors(&daemon)?);
        let complete = self.drain(&daemon, around)?;
        if !complete {
            self.is_told(told, "a worker ended")?;
            outcome = Outcome::RelayRefused;
        } else if let Err(problem) = audit(model, &daemon) {
            // A plan that nobody needs any more may be unreadable; it must not be another one.
            if !problem.starts_with("audit: ") {
                return Err(problem);
            }
            self.is_told(told, &problem)?;
            outcome = Outcome::Unneeded;
        }
        drop(daemon);
        around.disk.end_process();
        let again = Daemon::start(around).map_err(|error| format!("it does not start again: {error:?}"))?;
        judge_state(model, &again).map_err(|problem| format!("started again: {problem}"))?;
        Ok(outcome)
    }

    fn is_told(&self, told: &Told, problem: &str) -> Result<(), String> {
        match told {
            Told::Damaged(_) | Told::Version(_) => Ok(()),
            Told::Sound | Told::Torn => Err(format!("verify finds nothing, and then: {problem}")),
        }
    }

    /// What the start says about checkpoints and the journal's end.
    fn report(&self, daemon: &Daemon) -> Result<Outcome, String> {
        let report = &daemon.report;
        let (found, newest) = (report.checkpoint_lsn.0, self.store.checkpoint_lsn);
        if let Some(tail) = &report.journal.torn_tail
            && !self.damaged.touches(&tail.path)
        {
            return Err(format!("a tail of {} was cut, which is not damaged", tail.path));
        }
        if found == newest {
            return Ok(if report.journal.torn_tail.is_some() { Outcome::TornTail } else { Outcome::Same });
        }
        let passed = self.damaged.changed.iter().filter(|(path, _)| path.starts_with(CHECKPOINTS_DIR));
        let (mut missing, mut named) = (false, false);
        for (path, _) in passed {
            missing |= self.damaged.removes(path);
            named |= report.damaged_checkpoints.iter().any(|error| error.to_string().contains(path.as_str()));
        }
        if missing || named {
            Ok(Outcome::OlderCheckpoint)
        } else {
            Err(format!("it began at checkpoint {found}, not at {newest}, and does not say why"))
        }
    }

    /// Where the cursors stand: at the last save, or at the one before if its slot is damaged.
    fn cursors(&self, daemon: &Daemon) -> Result<Outcome, String> {
        let mut outcome = Outcome::Same;
        for (sink, position) in self.store.sinks.iter().zip(&daemon.positions) {
            let is_earlier = || self.is_earlier(&sink.path);
            outcome = outcome.max(match () {
                () if self.damaged.removes(&sink.path) => Outcome::NewSink,
                () if *position == sink.newest => Outcome::Same,
                () if !self.damaged.touches(&sink.path) => {
                    return Err(format!("the cursor of {} stands at {position:?}", sink.path));
                }
                () if *position == sink.older && !is_earlier() => Outcome::OlderSlot,
                () if position.sequence <= sink.newest.sequence && is_earlier() => Outcome::CursorPutBack,
                () => return Err(format!("{} is taken for a cursor at {position:?}", sink.path)),
            });
        }
        Ok(outcome)
    }

    /// Whether a file holds what it once has held.
    fn is_earlier(&self, path: &str) -> bool {
        let changed = self.damaged.changed.iter().find(|(changed, _)| changed == path);
        let Some((_, Some(content))) = changed else { return false };
        self.store.file(path).is_some_and(|file| file.earlier.contains(content))
    }

    /// Lets all sinks get everything; false if a worker found the damage.
    fn drain(&self, daemon: &Daemon, around: &Environment) -> Result<bool, String> {
        let mut complete = true;
        for (number, sink) in around.sinks.iter().enumerate() {
            daemon.drain_one(number, &around.clock)?;
            match &daemon.relays.borrow()[number].failed {
                None => {
                    let (last, plans) = (look(&sink.consumer).last(), self.store.model.plans.len() as u64);
                    if last != plans {
                        return Err(format!("LOST: sink {} saw events up to {last} of {plans}", sink.name));
                    }
                }
                Some(WorkerError::Damaged(text)) => {
                    Refusal { by: "a worker", text }.check(self.store, self.damaged)?;
                    complete = false;
                }
                Some(error) => return Err(format!("a worker ended otherwise: {error}")),
            }
        }
        judge_sinks(&self.store.model, &around.sinks)?;
        Ok(complete)
    }
}
