//! One run from its seed to its verdict.

use orderd::config::SinkStart;

use super::swarm::Swarm;
use crate::backups::{BackupFacts, COPY};
use crate::bugs::Bug;
use crate::clock::{CountedIds, SimClock};
use crate::coverage::{Coverage, Mark};
use crate::daemon::Daemon;
use crate::disk::{Call, CrashPolicy, SimDisk};
use crate::environment::{Environment, SOURCE, SinkSetup};
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::oracle::{Unanswered, audit, judge_sinks};
use crate::rng::Rng;
use crate::sink::{FaultProfile, look};
use crate::workload::Clients;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Nothing, or what was wrong.
    pub verdict: Result<(), String>,
    /// What was seen.
    pub marks: Coverage,
    /// Of every call and every answer.
    pub trace: u64,
    /// How many faults were injected, by kind of call.
    pub injected: [u64; Call::COUNT],
    /// How many commands were answered and checked.
    pub commands: u64,
    /// How many plans the history had at the end.
    pub plans: u64,
    /// How many starts there were.
    pub starts: u64,
    /// A line for every call, if that was asked for.
    pub log: Vec<String>,
}

/// Everything of a run.
pub(super) struct World {
    pub(super) around: Environment,
    pub(super) swarm: Swarm,
    pub(super) rng: Rng,
    pub(super) model: Model,
    pub(super) clients: Clients,
    pub(super) marks: Coverage,
    pub(super) unanswered: Vec<Unanswered>,
    pub(super) answers: Fingerprint,
    pub(super) commands: u64,
    pub(super) starts: u64,
    /// How many plans were certain before the last commit: damage to that commit alone may go unseen.
    pub(super) before_last_commit: u64,
    /// How many plans were certain at the last start.
    pub(super) before_start: u64,
    /// The daemon was stopped, and said that all is saved.
    pub(super) stopped: bool,
    /// A command was refused for want of room in this run of the daemon.
    pub(super) was_full: bool,
    /// The most that the disk holds now.
    pub(super) capacity: Option<u64>,
    /// From now on nothing fails.
    pub(super) healed: bool,
    /// The backup.
    pub(super) backup: BackupFacts,
}

/// Why a run of the daemon ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// The process ended itself, as it must after some failures, or the power is gone.
    Ended,
    /// A promise is broken.
    Broken(String),
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Broken(problem)
    }
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, log: bool) -> Outcome {
    run_with(seed, log, None)
}

/// Runs a seed with a deliberate bug.
#[must_use]
pub fn run_with(seed: u64, log: bool, bug: Option<Bug>) -> Outcome {
    let mut rng = Rng::new(seed);
    let swarm = Swarm::new(&mut rng.fork(1));
    let mut world = World::new(seed, swarm, bug, &mut rng);
    if log {
        world.around.disk.start_log();
        world.around.disk.say(|| format!("-- {:?}", world.swarm));
    }
    let verdict = world.live();
    let mut trace = world.answers;
    trace.add(world.around.disk.trace().value());
    Outcome {
        seed,
        verdict,
        trace: trace.value(),
        injected: world.around.disk.injected(),
        commands: world.commands,
        plans: world.model.plans.len() as u64,
        starts: world.starts,
        log: world.around.disk.take_log(),
        marks: world.marks,
    }
}

impl World {
    fn new(seed: u64, swarm: Swarm, bug: Option<Bug>, rng: &mut Rng) -> Self {
        let clients = Clients::new(rng.fork(2), swarm.with_id);
        let model = Model::new(SOURCE, swarm.options.command_ids_max);
        let around = Environment {
            disk: SimDisk::new(seed ^ 0xD15C),
            clock: SimClock::default(),
            ids: CountedIds::default(),
            options: swarm.options.clone(),
            sinks: Vec::new(),
            data_dir: String::new(),
            bug,
            run_seed: 0,
        };
        let mut world = Self {
            around,
            swarm,
            rng: rng.fork(3),
            model,
            clients,
            marks: Coverage::default(),
            unanswered: Vec::new(),
            answers: Fingerprint::default(),
            commands: 0,
            starts: 0,
            before_last_commit: 0,
            before_start: 0,
            stopped: false,
            was_full: false,
            capacity: None,
            healed: false,
            backup: BackupFacts::default(),
        };
        world.capacity = world.swarm.capacity;
        world.around.disk.set_capacity(world.capacity);
        world.add_sink(SinkStart::Beginning);
        world
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..self.swarm.crashes {
            if self.around.sinks.len() < self.swarm.fault_profile.len() && self.rng.percent(50) {
                let start = *self.rng.pick(&[
                    SinkStart::Beginning,
                    SinkStart::Beginning,
                    SinkStart::Now,
                    SinkStart::Snapshot,
                    SinkStart::Snapshot,
                ]);
                self.add_sink(start);
            }
            let mut daemon = self.restart()?;
            match self.work(&mut daemon) {
                Ok(()) => self.end_run(daemon)?,
                Err(Stop::Ended) => {
                    drop(daemon);
                    self.after_end();
                }
                Err(Stop::Broken(problem)) => return Err(problem),
            }
        }
        self.heal();
        let mut daemon = self.restart()?;
        self.finish(&mut daemon)?;
        daemon.stop().map_err(|problem| format!("stopping without faults: {problem}"))?;
        self.stopped = true;
        self.cut_power();
        let daemon = self.restart()?;
        audit(&self.model, &daemon)?;
        Ok(())
    }

    fn add_sink(&mut self, start: SinkStart) {
        let number = self.around.sinks.len();
        self.marks.hit_if(Mark::SinkAdded, !self.model.plans.is_empty());
        self.around.sinks.push(SinkSetup {
            name: format!("sink-{number}"),
            start,
            consumer: Default::default(),
            fault_profile: self.swarm.fault_profile[number],
        });
    }

    /// Steps until something ends the run, or until it was enough.
    fn work(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        daemon.relay_while_syncing(self.rng.fork(4));
        for _ in 0..self.rng.between(1, self.swarm.steps_max) {
            if self.rng.percent(self.swarm.sudden) {
                let changes = self.rng.below(8);
                self.around.disk.cut_in(Some(changes));
            }
            self.step(daemon)?;
            if !self.around.disk.has_power() {
                return Err(Stop::Ended);
            }
            self.look_at_relays(daemon)?;
        }
        self.last_moments(daemon)
    }

    /// Mostly the end comes in the middle of something.
    fn last_moments(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        let delivered = daemon.relays.borrow().iter().map(|relay| relay.delivered_while_syncing).sum();
        self.marks.add(Mark::RelayedWhileSyncing, delivered);
        if self.rng.percent(60) {
            let changes = self.rng.below(6);
            self.around.disk.cut_in(Some(changes));
            for _ in 0..4 {
                self.batch(daemon)?;
                if !self.around.disk.has_power() {
                    return Err(Stop::Ended);
                }
            }
            self.around.disk.cut_in(None);
        }
        Ok(())
    }

    /// A run that could go on is ended from outside.
    fn end_run(&mut self, daemon: Daemon) -> Result<(), String> {
        if self.rng.percent(15) {
            self.look_at_relays(&daemon).or_else(|stop| match stop {
                Stop::Ended => Ok(()),
                Stop::Broken(problem) => Err(problem),
            })?;
            self.stopped = daemon.stop().is_ok();
            self.marks.hit_if(Mark::Stopped, self.stopped);
        } else {
            drop(daemon);
        }
        self.after_end();
        Ok(())
    }

    /// The process is gone: killed, or with the power.
    pub(super) fn after_end(&mut self) {
        if !self.around.disk.has_power() || self.rng.percent(65) {
            self.cut_power();
        } else {
            self.marks.hit(Mark::Killed);
            self.marks.hit_if(Mark::LostPages, self.around.disk.has_lost_pages());
            self.around.disk.end_process();
        }
    }

    pub(super) fn cut_power(&mut self) {
        let disk = &self.around.disk;
        self.marks.hit(Mark::PowerCut);
        if let Some(call) = disk.died_at()
            && let Some(mark) = mark_of(&call)
        {
            self.marks.hit(mark);
        }
        let mut weather = CrashPolicy::new(self.rng.fork(5));
        disk.cut_power(&mut weather);
        let havoc = weather.havoc;
        self.marks.add(Mark::Torn, havoc.torn);
        self.marks.add(Mark::Noise, havoc.noise);
        self.marks.add(Mark::EntryLost, havoc.entries_lost);
        self.marks.add(Mark::EntryKept, havoc.entries_kept);
        self.marks.add(Mark::LengthLost, havoc.lengths_lost);
    }

    fn heal(&mut self) {
        self.healed = true;
        self.capacity = None;
        self.around.disk.set_capacity(None);
        for sink in &mut self.around.sinks {
            sink.fault_profile = FaultProfile::default();
        }
    }

    /// Lets all workers come to rest, with what they ask of the executor answered.
    fn drain(&mut self, daemon: &mut Daemon) -> Result<(), String> {
        for _ in 0..10_000 {
            daemon.drain(&self.around.clock)?;
            if !self.attend(daemon).map_err(|stop| format!("without faults: {stop:?}"))? {
                return Ok(());
            }
        }
        Err("STUCK: the workers ask for more and more".to_owned())
    }

    /// Without faults everything gets done: all commands answered, all events delivered.
    fn finish(&mut self, daemon: &mut Daemon) -> Result<(), String> {
        audit(&self.model, daemon)?;
        self.drain(daemon)?;
        self.clients.only_again();
        let mut stuck = 0;
        while self.clients.has_unanswered() || daemon.has_late_sinks() || stuck == 0 {
            let plans = self.model.plans.len();
            let full = self.marks.count(Mark::Full);
            self.batch(daemon).map_err(|stop| format!("without faults: {stop:?}"))?;
            self.drain(daemon)?;
            if self.marks.count(Mark::Full) == full && !daemon.has_late_sinks() {
                stuck = stuck.max(1);
                continue;
            }
            // Room has to be made: checkpoints, deletion, and a new look at what there is.
            stuck = if self.model.plans.len() > plans { 1 } else { stuck + 1 };
            self.around.clock.pass(60_000_000);
            self.keep_house(daemon).map_err(|stop| format!("without faults: {stop:?}"))?;
            if stuck > 20 {
                return Err("STUCK: nothing fails any more, and there is still no room".to_owned());
            }
        }
        self.drain(daemon)?;
        judge_sinks(&self.model, &self.around.sinks)?;
        for sink in &self.around.sinks {
            let consumer = look(&sink.consumer);
            let (last, plans) = (consumer.last(), self.model.plans.len() as u64);
            if last != plans {
                return Err(format!("LOST: sink {} saw events up to {last} of {plans}", sink.name));
            }
            let orders = self.model.orders_as_of(consumer.base).len();
            if sink.start == SinkStart::Snapshot && consumer.rows.len() != orders {
                return Err(format!("LOST: sink {} saw {} of {orders} orders", sink.name, consumer.rows.len()));
            }
        }
        audit(&self.model, daemon).map(drop)
    }
}

/// What was under way when the power went.
fn mark_of(call: &str) -> Option<Mark> {
    let is = |part: &str| call.contains(part);
    match () {
        () if is("delivery") => Some(Mark::CutInDelivery),
        () if is(COPY) => Some(Mark::CutInBackup),
        () if is("store.tmp") => Some(Mark::CutInCreation),
        () if is("checkpoints") => Some(Mark::CutInCheckpoint),
        () if is("remove") => Some(Mark::CutInRetention),
        () if is("cursor") => Some(Mark::CutInCursorSave),
        () if is("set_len") => Some(Mark::CutInClose),
        () if is("next.prepared") => Some(Mark::CutInPreparation),
        () if is(".wal") => Some(Mark::CutInCommit),
        () => None,
    }
}
