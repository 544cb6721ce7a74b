//! Starting again: with faults, with the power going once more, twice for comparison, and on damaged copies.

use orderd::journal::segment_path;
use orderd::relay::{Step, WorkerError};

use super::world::World;
use crate::coverage::Mark;
use crate::daemon::{Daemon, StartError};
use crate::disk::tree::Node;
use crate::disk::{Faults, Tree};
use crate::environment::Environment;
use crate::oracle::{Found, judge, judge_cursors, judge_sinks, judge_stop};
use crate::sink::look;

/// After this many starts that failed, one without faults.
const STARTS_WITH_FAULTS: u64 = 6;

impl World {
    /// Starts the daemon, again and again if need be, and compares what it found with the model.
    pub(super) fn restart(&mut self) -> Result<Daemon, String> {
        for attempt in 0.. {
            let faults = !self.healed && attempt < STARTS_WITH_FAULTS;
            self.before_start(faults)?;
            match self.start()? {
                Some(daemon) => {
                    self.welcome(&daemon)?;
                    if faults {
                        self.arm();
                    }
                    return Ok(daemon);
                }
                None if attempt > STARTS_WITH_FAULTS => {
                    return Err("STUCK: it does not start without faults".to_owned());
                }
                None => self.after_end(),
            }
        }
        Err("unreachable".to_owned())
    }

    fn before_start(&mut self, faults: bool) -> Result<(), String> {
        self.around.disk.set_faults(|now| Faults::none().clone_into_keeping(now));
        self.around.run_seed = self.rng.next();
        self.starts += 1;
        if self.rng.percent(15) {
            self.compare_two_starts()?;
        }
        if self.rng.percent(self.swarm.damages) {
            self.start_on_damage()?;
        }
        if faults {
            self.arm();
        }
        Ok(())
    }

    /// From now on calls fail as the run's character says, and the power may go.
    fn arm(&mut self) {
        self.around.disk.set_faults(|now| self.swarm.faults.clone_into_keeping(now));
        let cut = self.rng.percent(self.swarm.cuts);
        let changes = if self.rng.percent(40) { self.rng.below(30) } else { self.rng.below(400) };
        self.around.disk.cut_in(cut.then_some(changes));
    }

    /// One start; none if it failed for a reason.
    fn start(&mut self) -> Result<Option<Daemon>, String> {
        let injected: u64 = self.around.disk.injected().iter().sum();
        let before = self.around.disk.tree();
        match Daemon::start(&self.around) {
            Ok(daemon) => {
                self.marks.hit_if(Mark::FoundUnnamed, has_named_a_segment(&before, &daemon));
                self.around.disk.set_faults(|now| Faults::none().clone_into_keeping(now));
                if self.around.disk.has_power() {
                    self.around.disk.cut_in(None);
                    return Ok(Some(daemon));
                }
                Ok(None)
            }
            Err(_) if !self.around.disk.has_power() => {
                self.marks.hit(Mark::CutInRecovery);
                Ok(None)
            }
            Err(StartError::Io(_)) if self.around.disk.injected().iter().sum::<u64>() > injected => {
                self.marks.hit(Mark::RecoveryFailed);
                Ok(None)
            }
            Err(error) => Err(format!("it does not start: {error:?}")),
        }
    }

    /// Compares what a start found with what must be there.
    fn welcome(&mut self, daemon: &Daemon) -> Result<(), String> {
        self.note_report(daemon);
        let settled = judge(&mut self.model, daemon, &self.unanswered)?;
        self.marks.add(Mark::UnansweredKept, settled.kept.len() as u64);
        self.marks.add(Mark::UnansweredLost, settled.lost.len() as u64);
        self.marks.hit_if(Mark::BatchKeptInPart, !settled.kept.is_empty() && !settled.lost.is_empty());
        self.unanswered.clear();
        if self.swarm.backups > 0 {
            self.welcome_backup()?;
        }
        for command in settled.lost.into_iter().chain(settled.kept) {
            self.clients.unanswered(command);
        }
        judge_sinks(&self.model, &self.around.sinks)?;
        judge_cursors(daemon, &self.around.sinks, &self.around.options)?;
        for (sink, position) in self.around.sinks.iter().zip(&daemon.positions) {
            let consumer = look(&sink.consumer);
            self.marks.hit_if(Mark::Redelivered, position.sequence.0 < consumer.last());
            self.marks.hit_if(Mark::SinkFailed, consumer.failures > 0);
            self.marks.hit_if(Mark::SinkTookPart, consumer.parts > 0);
        }
        for (sink, snapshot) in self.around.sinks.iter().zip(&daemon.snapshots) {
            let Some(snapshot) = snapshot.filter(|snapshot| snapshot.left > 0) else { continue };
            self.marks.hit(Mark::Snapshot);
            self.marks.hit_if(Mark::SnapshotResumed, snapshot.rows > 0);
            let as_of = self.model.orders_as_of(look(&sink.consumer).base);
            let rows = as_of.iter().zip(&self.model.orders).skip(usize::try_from(snapshot.rows).unwrap_or(0));
            self.marks.hit_if(Mark::SnapshotOfThePast, rows.into_iter().any(|(then, now)| then != now));
        }
        if self.stopped {
            judge_stop(daemon, &self.around.sinks)?;
        }
        daemon.begin_run(&self.around.sinks);
        self.before_start = self.model.plans.len() as u64;
        // A start links the segment with the last commit, and so proves it, unless there is no room for another.
        if !daemon.files.index.is_full() {
            self.before_last_commit = self.model.last_lsn.0;
        }
        (self.stopped, self.was_full) = (false, false);
        Ok(())
    }

    fn note_report(&mut self, daemon: &Daemon) {
        let report = &daemon.report;
        self.marks.hit_if(Mark::TornTail, report.journal.torn_tail.is_some());
        self.marks.hit_if(Mark::Sealed, report.journal.sealed);
        self.marks.hit_if(Mark::FromCheckpoint, report.checkpoint_lsn.0 > 0);
        self.marks.hit_if(Mark::OpenedFull, daemon.files.index.is_full());
    }

    /// Everything around, over a copy of the disk, with copies of the consumers.
    fn fork(&self, tree: Tree) -> Environment {
        let around = self.around.fork(tree);
        around.disk.set_faults(|faults| faults.cache_hint_works = self.swarm.faults.cache_hint_works);
        around
    }

    /// The same start over the same disk comes to the same state and the same bytes.
    fn compare_two_starts(&mut self) -> Result<(), String> {
        let tree = self.around.disk.tree();
        let mut ends = Vec::new();
        for _ in 0..2 {
            let around = self.fork(tree.clone());
            let daemon = match Daemon::start(&around) {
                Ok(daemon) => daemon,
                Err(error) => return Err(format!("it does not start without faults: {error:?}")),
            };
            ends.push(Found::by(&daemon, &around.disk));
        }
        self.marks.hit(Mark::RecoveredTwice);
        if ends[0] == ends[1] { Ok(()) } else { Err("two starts over the same disk differ".to_owned()) }
    }

    /// One bit is turned over in a copy: the same state, or a refusal that leaves every byte as it was.
    fn start_on_damage(&mut self) -> Result<(), String> {
        let mut tree = self.around.disk.tree();
        let files: Vec<_> = tree.files().into_iter().collect();
        // Where pages are lost, bytes change by themselves when the cache is dropped.
        if tree.has_lost_pages() || !files.iter().any(|(path, _)| path == "store/identity") {
            return Ok(());
        }
        let (path, inode) = self.rng.pick(&files).clone();
        let Node::File(file) = &mut tree.nodes[inode] else { return Ok(()) };
        let written = file.cache.written();
        let offset = self.rng.below(written);
        let mut byte = [0];
        file.cache.read(&mut byte, offset);
        let bit = self.rng.below(8);
        let turned = [byte[0] ^ (1 << bit)];
        if written == 0 {
            return Ok(());
        }
        file.cache.write(&turned, offset);
        file.durable.write(&turned, offset);
        let around = self.fork(tree);
        let before = around.disk.fingerprint();
        let what = format!("bit {bit} of byte {offset} of {path}");
        let daemon = match Daemon::start(&around) {
            Ok(daemon) => daemon,
            Err(StartError::Damaged(_)) if around.disk.fingerprint() == before => {
                self.marks.hit(Mark::DamageRefused);
                return Ok(());
            }
            Err(StartError::Damaged(error)) => return Err(format!("{what}: refused ({error}), but bytes changed")),
            Err(error) => return Err(format!("{what}: {error:?}")),
        };
        self.marks.hit_if(Mark::DamagedCheckpoint, !daemon.report.damaged_checkpoints.is_empty());
        self.marks.hit_if(Mark::CursorSlotTorn, path.ends_with(".cursor"));
        let mut model = self.model.clone();
        let same = judge(&mut model, &daemon, &self.unanswered).and_then(|_| self.relay_all(&daemon, &around, &path));
        let same = same.and_then(|()| judge_sinks(&model, &around.sinks));
        match same {
            Ok(()) => self.marks.hit(Mark::DamageHarmless),
            // The last commit, where nothing later proves that it was one.
            Err(_) if daemon.report.journal.last_lsn.0 >= self.before_last_commit => {
                self.marks.hit(Mark::DamageUnproven);
            }
            Err(problem) => return Err(format!("{what}: {problem}")),
        }
        Ok(())
    }

    /// Lets all workers of a damaged copy go on: they deliver, or name what is damaged.
    fn relay_all(&mut self, daemon: &Daemon, around: &Environment, path: &str) -> Result<(), String> {
        for number in 0..around.sinks.len() {
            // Sinks may fail, and then there is something to wait for: this is no test of patience.
            for _ in 0..200 {
                around.clock.wait(60_000);
                if !matches!(daemon.step(number), Some(Step::Delivered | Step::CursorDue(_) | Step::Retry(_))) {
                    break;
                }
            }
            match &daemon.relays.borrow()[number].failed {
                Some(WorkerError::Damaged(problem)) if problem.contains(path) => self.marks.hit(Mark::BacklogDamaged),
                Some(error) => return Err(format!("a worker ended: {error}")),
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether the start found a segment under the name that it was made ahead with: it has a name that was not there.
fn has_named_a_segment(before: &Tree, daemon: &Daemon) -> bool {
    let found = before.files();
    let segments = daemon.files.index.list();
    let older = segments.iter().rev().skip(1);
    older.map(|(base_lsn, _)| segment_path(*base_lsn)).any(|path| !found.contains_key(&path))
}
