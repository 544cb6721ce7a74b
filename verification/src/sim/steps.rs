//! What happens in a run of the daemon, one thing at a time.

use std::io;

use orderd::contracts::{Clock, CommitError, DecisionKind, ParkedLane, PlanStore, Request};
use orderd::relay::WorkerError;
use orderd::repo::{CheckpointBegin, CheckpointSource, DedupEntry, LaneName, OrderRow};

use super::world::{Stop, World};
use crate::coverage::Mark;
use crate::daemon::Daemon;
use crate::disk::Call;
use crate::model::Verdict;
use crate::oracle::{Unanswered, check_decision, judge_sinks};
use crate::sink::look;

impl World {
    /// The next thing that happens.
    pub(super) fn step(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        if self.swarm.backups > 0 && self.rng.percent(self.swarm.backups) {
            return self.back_up(daemon);
        }
        match self.rng.below(100) {
            0..=49 => self.batch(daemon),
            50..=74 => self.relay(daemon),
            75..=83 => self.keep_house(daemon),
            84..=86 => self.checkpoint(daemon),
            87..=92 => {
                let micros = *self.rng.pick(&[100, 20_000, 200_000, 10_000_000]);
                self.around.clock.pass(micros);
                Ok(())
            }
            93..=94 => {
                self.jump();
                Ok(())
            }
            95..=97 => {
                self.change_capacity();
                Ok(())
            }
            _ => daemon.executor.store_mut().make_room().map(drop).map_err(|_| Stop::Ended),
        }
    }

    /// Clients ask, and what they are told is checked.
    pub(super) fn batch(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        self.attend(daemon)?;
        let requests = self.clients.next(self.swarm.commands_max, &self.model);
        let at = self.around.clock.now();
        let newest = daemon.files.index.list().last().map(|(base, _)| *base);
        let before = self.model.last_lsn.0;
        let answers = match daemon.executor.run(&requests) {
            Ok(answers) => answers,
            Err(error) => {
                self.failed(&error);
                let unanswered = requests.into_iter().map(|sent| Unanswered { request: sent.request, at });
                self.unanswered.extend(unanswered);
                return Err(Stop::Ended);
            }
        };
        if answers.len() != requests.len() {
            return Err(Stop::Broken(format!("{} answers to {} commands", answers.len(), requests.len())));
        }
        for (sent, answer) in requests.iter().zip(&answers) {
            if sent.connection != answer.connection {
                return Err(Stop::Broken("an answer went to another connection".to_owned()));
            }
            let verdict = self.model.check_answer(&sent.request, at, answer)?;
            self.answered(&sent.request, verdict)?;
        }
        let after = self.model.last_lsn.0;
        if after > before {
            self.before_last_commit = before;
        }
        let rotated = daemon.files.index.list().last().map(|(base, _)| *base).filter(|base| Some(*base) != newest);
        self.marks.hit_if(Mark::Rotated, rotated.is_some());
        let within = rotated.is_some_and(|base| base.0 > before + 1 && base.0 <= after);
        self.marks.hit_if(Mark::RotatedWithin, within);
        judge_sinks(&self.model, &self.around.sinks)?;
        Ok(())
    }

    fn failed(&mut self, error: &CommitError) {
        if let CommitError::Failed { operation, .. } = error
            && self.around.disk.has_power()
        {
            self.marks.hit_if(Mark::SyncFailed, operation.contains("sync"));
            self.marks.hit_if(Mark::WriteFailed, operation.contains("write"));
        }
    }

    fn answered(&mut self, request: &Request, verdict: Verdict) -> Result<(), Stop> {
        self.commands += 1;
        self.answers.add(match verdict {
            Verdict::Changed => 1,
            Verdict::Duplicate(index) => 100 + index as u64,
            Verdict::Refused => 2,
            Verdict::Full => 3,
            Verdict::Shown => 4,
        });
        match verdict {
            Verdict::Changed => {
                self.marks.hit(Mark::Answered);
                let again = request.command_id().is_some_and(|id| self.clients.was_done(id));
                self.marks.hit_if(Mark::Forgotten, again);
                self.clients.answered(request);
                self.marks.hit_if(Mark::Resumed, self.was_full);
                self.was_full = false;
            }
            Verdict::Duplicate(index) => {
                self.marks.hit(Mark::Duplicate);
                self.marks.hit_if(Mark::DuplicateAcrossCrash, (index as u64) < self.before_start);
            }
            Verdict::Full => {
                self.marks.hit(Mark::Full);
                self.was_full = true;
                self.clients.unanswered(request.clone());
                self.may_be_full()?;
            }
            Verdict::Refused => {
                self.marks.hit_if(Mark::Conflict, request.command_id().is_some_and(|id| self.clients.was_done(id)))
            }
            Verdict::Shown => {}
        }
        Ok(())
    }

    /// A command was refused for want of room: there must be a reason.
    fn may_be_full(&mut self) -> Result<(), Stop> {
        let disk_is_small = self.swarm.capacity.is_some();
        self.marks.hit_if(Mark::DiskFull, disk_is_small);
        let budget_is_small = self.swarm.options.journal_bytes_max < 1 << 30;
        let injected = self.around.disk.injected();
        let calls = [Call::Write, Call::Allocate, Call::Create, Call::Rename, Call::SetLen];
        let failed = calls.iter().any(|call| injected[*call as usize] > 0);
        if disk_is_small || budget_is_small || failed || !self.around.disk.has_power() {
            Ok(())
        } else {
            Err(Stop::Broken("a command was refused for want of room, and there is room".to_owned()))
        }
    }

    pub(super) fn relay(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        let number = self.rng.index(self.around.sinks.len());
        for _ in 0..self.rng.between(1, 4) {
            self.attend(daemon)?;
            daemon.step(number);
        }
        judge_sinks(&self.model, &self.around.sinks)?;
        Ok(())
    }

    /// Answers what workers have asked of the executor, and stores what they have decided; whether there was anything.
    pub(super) fn attend(&mut self, daemon: &mut Daemon) -> Result<bool, Stop> {
        let attended = daemon.attend().map_err(|error| {
            self.failed(&error);
            Stop::Ended
        })?;
        for decision in &attended.decided {
            check_decision(&self.model, decision)?;
            self.marks.hit_if(Mark::RegisteredLate, matches!(decision.kind, DecisionKind::Registered(_)));
            self.before_last_commit = self.model.last_lsn.0;
            self.model.decided(decision.clone());
        }
        Ok(attended.tasks > 0 || !attended.decided.is_empty())
    }

    /// A worker that ended ends the process; it must have had a reason.
    pub(super) fn look_at_relays(&mut self, daemon: &Daemon) -> Result<(), Stop> {
        for relay in daemon.relays.borrow().iter() {
            match &relay.failed {
                None => {}
                Some(WorkerError::Damaged(problem)) => {
                    return Err(Stop::Broken(format!("a worker found damage where there is none: {problem}")));
                }
                Some(WorkerError::Io(_) | WorkerError::Target(_)) => return Err(Stop::Ended),
                Some(WorkerError::Cursor(_)) => {
                    self.marks.hit(Mark::CursorSyncFailed);
                    return Err(Stop::Ended);
                }
            }
        }
        Ok(())
    }

    /// Maintenance's turn.
    pub(super) fn keep_house(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        self.with_housekeeper(daemon, |maintenance, source| {
            maintenance.turn(source);
            Ok(())
        })
    }

    fn checkpoint(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        let index = &daemon.files.index;
        if index.durable_lsn() == index.checkpoint_lsn() {
            return Ok(());
        }
        self.with_housekeeper(daemon, |maintenance, source| maintenance.checkpoint(source))
    }

    fn with_housekeeper(
        &mut self,
        daemon: &mut Daemon,
        act: impl FnOnce(&mut orderd::repo::Maintenance, &mut dyn CheckpointSource) -> io::Result<()>,
    ) -> Result<(), Stop> {
        let Some(mut maintenance) = daemon.maintenance.take() else { return Ok(()) };
        let (oldest, checkpoint) = (daemon.files.index.oldest(), daemon.files.index.checkpoint_lsn());
        let mut busy = Busy { world: self, daemon, stop: None, batches: 0 };
        let result = act(&mut maintenance, &mut busy);
        let Busy { stop, batches, .. } = busy;
        daemon.maintenance = Some(maintenance);
        let index = &daemon.files.index;
        let written = index.checkpoint_lsn() > checkpoint;
        self.marks.hit_if(Mark::Checkpoint, written);
        self.marks.hit_if(Mark::CheckpointWhileBusy, written && batches > 0);
        self.marks.hit_if(Mark::CheckpointFailed, result.is_err() && self.around.disk.has_power());
        self.marks.hit_if(Mark::SegmentsDeleted, index.oldest() > oldest);
        let slow = self.around.sinks.iter().map(|sink| look(&sink.consumer).acknowledged).min();
        let held = index.list().get(1).is_some_and(|(base, _)| slow < Some(base.0) && index.checkpoint_lsn() > *base);
        self.marks.hit_if(Mark::HeldBack, held);
        stop.map_or(Ok(()), Err)
    }

    fn jump(&mut self) {
        const YEAR_MICROS: i64 = 365 * 86_400_000_000;
        let micros = i64::try_from(self.rng.below(20)).unwrap_or(0) - 10;
        self.marks.hit_if(Mark::ClockBack, micros < 0);
        self.around.clock.jump(micros * *self.rng.pick(&[1, 1_000_000, YEAR_MICROS]));
    }

    fn change_capacity(&mut self) {
        if let Some(capacity) = self.swarm.capacity {
            let used = self.around.disk.used_bytes();
            self.capacity = match self.rng.below(3) {
                0 => None,
                1 => Some(used + self.rng.below(20_000)),
                _ => Some(capacity),
            };
            self.around.disk.set_capacity(self.capacity);
        }
    }
}

/// The store as maintenance sees it: between two looks, commands go on.
struct Busy<'a> {
    world: &'a mut World,
    daemon: &'a mut Daemon,
    stop: Option<Stop>,
    batches: u64,
}

impl Busy<'_> {
    fn go_on(&mut self) -> io::Result<()> {
        if self.stop.is_none() && !self.world.healed && self.world.rng.percent(50) {
            match self.world.batch(self.daemon) {
                Ok(()) => self.batches += 1,
                Err(stop) => self.stop = Some(stop),
            }
        }
        if self.stop.is_some() { Err(io::Error::other("the executor has ended")) } else { Ok(()) }
    }
}

impl CheckpointSource for Busy<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        self.go_on()?;
        let store = self.daemon.executor.store();
        Ok(CheckpointBegin::of(store))
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        self.go_on()?;
        // In small parts, so that commands come in between.
        let count = count.min(1 + self.world.rng.index(20));
        Ok(self.daemon.executor.store().state().orders.rows(from, count).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        self.go_on()?;
        let count = count.min(1 + self.world.rng.index(20));
        Ok(self.daemon.executor.store().state().commands.copy(from, count))
    }
    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        self.go_on()?;
        let count = count.min(1 + self.world.rng.index(20));
        Ok(self.daemon.executor.store().state().delivery.lanes_after(after, count))
    }
}
