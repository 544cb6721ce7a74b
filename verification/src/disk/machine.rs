//! The machine that the disk is in: its power, its faults, its room, and a record of every call.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::crash::{Fates, crash};
use super::faults::{Call, Faults, power_off};
use super::tree::Tree;
use crate::fingerprint::Fingerprint;
use crate::rng::Rng;

/// The disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
}

/// Everything that is one disk.
pub(super) struct Machine {
    pub(super) tree: Tree,
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    /// The most that all files may take.
    capacity: Option<u64>,
    /// Handles of an earlier run of the process are dead.
    run: u64,
    power: bool,
    /// The power goes at the call that changes something after this many.
    cut_in: Option<u64>,
    calls: u64,
    /// The call in which the power went.
    died_at: Option<String>,
    trace: Fingerprint,
    log: Option<Vec<String>>,
    recording: Option<Recording>,
}

/// The disk before a call that changes something.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What it held, synced and not.
    pub tree: Tree,
    /// What the witness said then.
    pub moment: usize,
    /// The call that came next.
    pub before: String,
}

struct Recording {
    recorded: Vec<Recorded>,
    witness: Witness,
}

/// Says which moment it is.
type Witness = Box<dyn FnMut() -> usize + Send>;

/// What is noted of a call.
pub(super) struct Note<'a> {
    pub(super) call: Call,
    /// Which run of the process it belongs to; `None` for calls on the disk itself.
    pub(super) run: Option<u64>,
    pub(super) facts: [u64; 3],
    pub(super) text: fmt::Arguments<'a>,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_tree(Tree::default(), seed)
    }

    /// A disk that holds `tree`.
    #[must_use]
    pub fn with_tree(tree: Tree, seed: u64) -> Self {
        let machine = Machine {
            tree,
            faults: Faults::none(),
            rng: Rng::new(seed),
            capacity: None,
            run: 0,
            power: true,
            cut_in: None,
            calls: 0,
            died_at: None,
            trace: Fingerprint::default(),
            log: None,
            recording: None,
        };
        Self { machine: Arc::new(Mutex::new(machine)) }
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what the disk holds now, synced and not.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.locked().tree.clone()
    }

    /// Somebody from outside changes what the disk holds, without a power cut.
    pub fn replace_tree(&self, tree: Tree) {
        self.locked().tree = tree;
    }

    /// Of all names and bytes that the running system shows.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.locked().tree.fingerprint()
    }

    /// Of every call so far, with its result.
    #[must_use]
    pub fn trace(&self) -> Fingerprint {
        self.locked().trace
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.locked().calls
    }

    /// The process ended: its handles are dead, what it wrote is still in the cache.
    pub fn end_process(&self) {
        self.locked().run += 1;
    }

    /// The power goes; what is left comes back, synced, when the machine starts again.
    pub fn cut_power(&self, fates: &mut dyn Fates) {
        let mut machine = self.locked();
        machine.tree = crash(&machine.tree, fates);
        machine.run += 1;
        machine.power = true;
        machine.cut_in = None;
        machine.died_at = None;
        let after = machine.tree.fingerprint();
        machine.trace.add(after);
        if machine.log.is_some() {
            machine.write_log(format!("-- the power was cut; the disk is {after:016x}"));
        }
    }

    /// Takes the power away at the call that changes something after `changes` more; `None` never.
    pub fn cut_in(&self, changes: Option<u64>) {
        self.locked().cut_in = changes;
    }

    /// Takes the power away now, in the middle of `what`: nothing works until [`SimDisk::cut_power`].
    pub fn switch_off(&self, what: &str) {
        let mut machine = self.locked();
        machine.power = false;
        machine.died_at = Some(what.to_owned());
    }

    /// The call in which the power went, if it did.
    #[must_use]
    pub fn died_at(&self) -> Option<String> {
        self.locked().died_at.clone()
    }

    /// Whether there is power.
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.locked().power
    }

    /// Whether some pages are shown that the medium never got.
    #[must_use]
    pub fn has_lost_pages(&self) -> bool {
        self.locked().tree.has_lost_pages()
    }

    /// The most that all files may take together.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.locked().capacity = capacity;
    }

    /// What the files take.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.locked().tree.used_bytes()
    }

    /// Changes which calls fail.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.locked().faults);
    }

    /// How many faults were injected, by kind of call.
    #[must_use]
    pub fn injected(&self) -> [u64; Call::COUNT] {
        self.locked().faults.injected
    }

    /// Keeps a line for every call.
    pub fn start_log(&self) {
        self.locked().log = Some(Vec::new());
    }

    /// Adds a line to the log, if there is one.
    pub fn say(&self, line: impl FnOnce() -> String) {
        let mut machine = self.locked();
        if machine.log.is_some() {
            let line = line();
            machine.write_log(line);
        }
    }

    /// The lines so far.
    #[must_use]
    pub fn take_log(&self) -> Vec<String> {
        self.locked().log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps a copy of the disk before every call that changes something, with what `witness` says then; it must not
    /// call the disk.
    pub fn start_recording(&self, witness: impl FnMut() -> usize + Send + 'static) {
        self.locked().recording = Some(Recording { recorded: Vec::new(), witness: Box::new(witness) });
    }

    /// The copies, and the disk as it is now behind them.
    #[must_use]
    pub fn take_recording(&self) -> Vec<Recorded> {
        let mut machine = self.locked();
        let Some(mut recording) = machine.recording.take() else { return Vec::new() };
        recording.keep(&machine.tree, "the end".to_owned());
        recording.recorded
    }

    pub(super) fn run(&self) -> u64 {
        self.locked().run
    }

    /// Does one call: unless there is no power, or the call is one that fails; then `fail` says what it does all the
    /// same.
    pub(super) fn call<T>(
        &self,
        note: &Note<'_>,
        act: impl FnOnce(&mut Machine) -> io::Result<T>,
        fail: impl FnOnce(&mut Machine, io::Error) -> io::Error,
    ) -> io::Result<T> {
        let mut machine = self.locked();
        let machine = &mut *machine;
        if !machine.power || note.run.is_some_and(|run| run != machine.run) {
            return Err(power_off());
        }
        machine.calls += 1;
        if note.call.changes() {
            if let Some(recording) = &mut machine.recording {
                recording.keep(&machine.tree, note.text.to_string());
            }
            if let Some(left) = &mut machine.cut_in {
                if *left == 0 {
                    machine.die(note, act, fail);
                    return Err(power_off());
                }
                *left -= 1;
            }
        }
        let result = match machine.faults.draw(note.call, &mut machine.rng) {
            Some(error) => Err(fail(machine, error)),
            None => act(machine),
        };
        machine.note(note, result.as_ref().err());
        result
    }
}

impl Recording {
    fn keep(&mut self, tree: &Tree, before: String) {
        let moment = (self.witness)();
        self.recorded.push(Recorded { tree: tree.clone(), moment, before });
    }
}

impl Machine {
    /// The power goes in the middle of a call: it was done, or a part of it, or nothing.
    fn die<T>(
        &mut self,
        note: &Note<'_>,
        act: impl FnOnce(&mut Self) -> io::Result<T>,
        fail: impl FnOnce(&mut Self, io::Error) -> io::Error,
    ) {
        match self.rng.below(3) {
            0 => drop(act(self)),
            1 => drop(fail(self, power_off())),
            _ => {}
        }
        self.power = false;
        self.died_at = Some(note.text.to_string());
        self.note(note, Some(&power_off()));
    }

    fn note(&mut self, note: &Note<'_>, error: Option<&io::Error>) {
        self.trace.add(note.call as u64);
        for fact in note.facts {
            self.trace.add(fact);
        }
        self.trace.add(u64::from(error.is_some()));
        if self.log.is_some() {
            let failed = error.map(|error| format!(" -> {error}")).unwrap_or_default();
            let line = format!("{:>6} {}{failed}", self.calls, note.text);
            self.write_log(line);
        }
    }

    fn write_log(&mut self, line: String) {
        if let Some(log) = &mut self.log {
            log.push(line);
        }
    }

    /// How many bytes more there is room for.
    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tree.used_bytes()))
    }
}
