//! Backups at random moments: commands and retention go on, the copying program is killed, the disk is full.

use std::sync::Arc;

use orderd::backup::{BackupError, BackupSource, Part, Position, back_up};
use orderd::contracts::{Folders, PlanStore as _};

use super::world::{Stop, World};
use crate::backups::{
    BackupFacts, COPY, CopyState, KillableDisk, RESTORED, Unpinned, back_up_stopped, check_copy, judge_restored, pin,
    restore_copy, unpin_all,
};
use crate::coverage::Mark;
use crate::daemon::Daemon;
use crate::disk::{CrashPolicy, hook};
use crate::environment::Environment;
use crate::model::Model;

impl World {
    /// Makes a backup, beside everything else that goes on.
    pub(super) fn back_up(&mut self, daemon: &mut Daemon) -> Result<(), Stop> {
        let unfinished = self.make_way()?;
        let calls = self.rng.percent(50).then(|| self.rng.below(200));
        let disk = KillableDisk::new(self.around.disk.clone(), calls);
        let files: Arc<dyn Folders> = Arc::new(disk.clone());
        let injected: u64 = self.around.disk.injected().iter().sum();
        let mut source = Pinned { world: self, daemon, holds: None, stop: None, parts: 0, busy: 0 };
        let made = back_up(&files, "", COPY, &mut source);
        let Pinned { holds, stop, busy, .. } = source;
        self.backup = BackupFacts { holds, done: made.is_ok() };
        if let Some(stop) = stop {
            return Err(stop);
        }
        if !self.around.disk.has_power() {
            return Err(Stop::Ended);
        }
        unpin_all(daemon).map_err(|_| Stop::Ended)?;
        match made {
            Ok(_) => {
                self.marks.hit(Mark::BackedUp);
                self.marks.hit_if(Mark::BackedUpWhileBusy, busy > 0);
                self.marks.hit_if(Mark::BackupReplaced, unfinished);
            }
            Err(_) if disk.is_dead() => self.marks.hit(Mark::BackupKilled),
            Err(_) if self.around.disk.injected().iter().sum::<u64>() > injected => self.marks.hit(Mark::BackupFailed),
            Err(_) if self.capacity.is_some() => self.marks.hit(Mark::BackupFull),
            Err(error) => return Err(Stop::Broken(format!("a backup failed without a reason: {error}"))),
        }
        hook::without(|| self.check_backup()).map(drop).map_err(Stop::Broken)
    }

    /// A whole backup is never written over; somebody removes it. Whether there is an unfinished one instead.
    fn make_way(&mut self) -> Result<bool, String> {
        let around = self.quiet();
        match hook::without(|| check_copy(&around, self.backup.holds.as_ref()))? {
            CopyState::Missing => return Ok(false),
            CopyState::Unfinished => return Ok(true),
            CopyState::Whole => {}
        }
        let files: Arc<dyn Folders> = Arc::new(self.quiet().disk);
        if !matches!(back_up(&files, "", COPY, &mut Unpinned), Err(BackupError::Exists(_))) {
            return Err("a whole backup is written over".to_owned());
        }
        let mut tree = self.around.disk.tree();
        tree.remove_durably(COPY);
        self.around.disk.replace_tree(tree);
        Ok(false)
    }

    /// Everything around over a copy of the disk, on which nothing fails.
    fn quiet(&self) -> Environment {
        let mut around = self.around.fork(self.around.disk.tree());
        around.run_seed = 0xBAC;
        around
    }

    /// The backup is what it must be; and so is what comes of a restore that is killed.
    fn check_backup(&mut self) -> Result<CopyState, String> {
        let around = self.quiet();
        let found = check_copy(&around, self.backup.holds.as_ref())?;
        if self.backup.done && found != CopyState::Whole {
            return Err(format!("LOST: a finished backup is {found:?}"));
        }
        if found == CopyState::Whole {
            self.kill_a_restore()?;
        }
        Ok(found)
    }

    /// A restore that is killed, with the power now and then, leaves no store or a whole one; the next one makes one,
    /// which stays.
    fn kill_a_restore(&mut self) -> Result<(), String> {
        let Some(holds) = self.backup.holds.clone() else { return Ok(()) };
        let around = self.quiet();
        let calls = self.rng.below(150);
        restore_copy(&around, Some(calls))?;
        for _ in 0..2 {
            if self.rng.percent(50) {
                around.disk.cut_power(&mut CrashPolicy::new(self.rng.fork(6)));
            }
            let is_there = around.disk.kind(RESTORED).map_err(|error| error.to_string())?.is_some();
            if is_there {
                return judge_restored(&around, &holds, &[]);
            }
            self.marks.hit(Mark::RestoreKilled);
            let found = restore_copy(&around, None)?;
            // Who was killed between taking the mark away and its sync finds it again after a power cut.
            if found == CopyState::Unfinished && !self.backup.done {
                return Ok(());
            }
            if found != CopyState::Whole {
                return Err(format!("after a killed restore another one leaves {found:?}"));
            }
        }
        Err("LOST: a restored store is gone with the power".to_owned())
    }

    /// At a start: the backup is what it was, and one that is unfinished is replaced by another.
    pub(super) fn welcome_backup(&mut self) -> Result<(), String> {
        if self.check_backup()? == CopyState::Unfinished {
            self.marks.hit(Mark::BackupUnfinished);
            let around = self.quiet();
            back_up_stopped(&around)?;
            let found = check_copy(&around, Some(&self.model))?;
            if found != CopyState::Whole {
                return Err(format!("another backup in the place of an unfinished one is {found:?}"));
            }
        }
        Ok(())
    }
}

/// The store of a running daemon, in which commands, maintenance and relay go on.
struct Pinned<'a> {
    world: &'a mut World,
    daemon: &'a mut Daemon,
    holds: Option<Model>,
    stop: Option<Stop>,
    parts: u64,
    busy: u64,
}

/// After this many parts nothing else goes on: a backup ends some time.
const BUSY_PARTS_MAX: u64 = 30;

impl Pinned<'_> {
    fn go_on(&mut self) -> Result<(), BackupError> {
        self.parts += 1;
        while self.stop.is_none() && self.parts < BUSY_PARTS_MAX && self.world.rng.percent(50) {
            self.busy += 1;
            let went = match self.world.rng.below(4) {
                0 => self.world.batch(self.daemon),
                1 | 2 => self.world.keep_house(self.daemon),
                _ => self.world.relay(self.daemon),
            };
            self.stop = went.err();
        }
        match &self.stop {
            None => Ok(()),
            Some(stop) => Err(BackupError::Daemon(format!("{stop:?}"))),
        }
    }

    /// Right after the position much is stored and delivered beyond it, now and then.
    fn burst(&mut self) -> Result<(), BackupError> {
        let rounds = if self.world.rng.percent(30) { 4 } else { 0 };
        for _ in 0..rounds {
            let went = self.world.batch(self.daemon).and_then(|()| self.world.relay(self.daemon));
            self.stop = self.stop.take().or(went.err());
            self.go_on()?;
        }
        Ok(())
    }

    fn pin(&mut self) -> Result<Position, BackupError> {
        pin(self.daemon).inspect_err(|_| self.stop = Some(Stop::Ended))
    }
}

impl BackupSource for Pinned<'_> {
    fn hold(&mut self) -> Result<(), BackupError> {
        self.pin()?;
        self.go_on()
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        self.go_on()?;
        let position = self.pin()?;
        let (durable, certain) = (self.daemon.executor.store().durable_lsn(), self.world.model.last_lsn);
        if position.lsn != certain || durable != certain {
            let problem = format!("the position is {}, and LSN {certain} is certain", position.lsn);
            self.stop = Some(Stop::Broken(problem));
        }
        self.holds = Some(self.world.model.clone());
        self.burst()?;
        Ok(Some(position))
    }

    fn part_done(&mut self, _part: Part) -> Result<(), BackupError> {
        self.go_on()
    }

    fn release(&mut self) -> Result<(), BackupError> {
        self.go_on()
    }
}
