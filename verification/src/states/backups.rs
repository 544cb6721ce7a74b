//! Backups and restores in scripts, and what a power cut leaves of them.

use std::sync::Arc;

use orderd::app::begin_epoch_at;
use orderd::backup::{BackupError, BackupSource, Part, Position, back_up, restore};
use orderd::contracts::{Clock, Folders};

use super::check::fork;
use super::expectations::{BackupStanding, Standing, open};
use super::script_runner::{Record, ScriptRunner};
use crate::backups::{
    COPY, CopyState, KillableDisk, RESTORED, Unpinned, back_up_stopped, check_copy, judge_restored, pin, restore_copy,
    unpin_all,
};
use crate::disk::Tree;

impl ScriptRunner {
    /// From now on the disk has files that share their blocks, or it has not.
    pub fn clone_files(&mut self) {
        let clones = self.shape.percent(50);
        self.around.disk.set_faults(|faults| faults.clones_files = clones);
    }

    /// A backup, while this many commands are taken in its midst; killed after a number of calls, if a number is given.
    pub fn back_up(&mut self, commands: u64, calls: Option<u64>) -> Result<(), String> {
        open(&self.ledger).change(|now| now.backup = Some(BackupStanding::default()));
        let disk = KillableDisk::new(self.around.disk.clone(), calls);
        let files: Arc<dyn Folders> = Arc::new(disk.clone());
        let made = back_up(&files, "", COPY, &mut Pinned { stage: self, commands });
        unpin_all(self.daemon.as_mut().ok_or("no daemon")?).map_err(|error| error.to_string())?;
        match made {
            Ok(_) => self.backup_is(|backup| backup.is_done = true),
            Err(_) if disk.is_dead() => {}
            Err(error) => return Err(format!("a backup failed: {error}")),
        }
        Ok(())
    }

    /// Makes a store of the backup.
    pub fn restore(&mut self) -> Result<(), String> {
        let files: Arc<dyn Folders> = Arc::new(self.around.disk.clone());
        let restored = restore(&files, COPY, RESTORED, &mut Unpinned).map_err(|error| error.to_string())?;
        let clock: Arc<dyn Clock> = Arc::new(self.around.clock.clone());
        let begun = begin_epoch_at(&restored.storage(), clock, &self.around.store_options(), 0);
        begun.map_err(|error| error.to_string())?;
        restored.finish().map_err(|error| error.to_string())?;
        self.backup_is(|backup| backup.is_restored = true);
        Ok(())
    }

    fn backup_is(&self, change: impl FnOnce(&mut BackupStanding)) {
        open(&self.ledger).change(|now| {
            let mut backup = now.backup.clone().unwrap_or_default();
            change(&mut backup);
            now.backup = Some(backup);
        });
    }
}

/// The store of the script's daemon.
struct Pinned<'a> {
    stage: &'a mut ScriptRunner,
    commands: u64,
}

impl Pinned<'_> {
    fn pin(&mut self) -> Result<Position, BackupError> {
        let daemon = self.stage.daemon.as_mut().ok_or_else(|| BackupError::Daemon("no daemon".to_owned()))?;
        pin(daemon)
    }
}

impl BackupSource for Pinned<'_> {
    fn hold(&mut self) -> Result<(), BackupError> {
        self.pin().map(drop)
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        let position = self.pin()?;
        let holds = Arc::new(self.stage.model.clone());
        self.stage.backup_is(|backup| backup.holds = Some(holds));
        Ok(Some(position))
    }

    fn part_done(&mut self, _part: Part) -> Result<(), BackupError> {
        if self.commands > 0 {
            self.commands -= 1;
            self.stage.commands(2).map_err(BackupError::Daemon)?;
        }
        Ok(())
    }

    fn release(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

/// After a power cut the backup is missing, says that it is unfinished, or is whole; another takes its place. The
/// restored store is missing or whole.
///
/// # Errors
/// A promise is broken.
pub fn check_backup(record: &Record, standing: &Standing, tree: &Tree) -> Result<(), String> {
    let Some(backup) = &standing.backup else { return Ok(()) };
    let around = fork(record, standing, tree.clone());
    let is_restored = around.disk.kind(RESTORED).map_err(|error| error.to_string())?.is_some();
    if let Some(holds) = backup.holds.as_ref().filter(|_| is_restored) {
        return judge_restored(&around, holds, &[]);
    }
    if backup.is_restored {
        return Err("LOST: a restored store".to_owned());
    }
    let found = check_copy(&around, backup.holds.as_deref())?;
    if backup.is_done && found != CopyState::Whole {
        return Err(format!("LOST: a finished backup is {found:?}"));
    }
    if found == CopyState::Whole {
        return Ok(());
    }
    // Nobody recovered the store: what was not answered may be in the copy of it.
    back_up_stopped(&around)?;
    match restore_copy(&around, None)? {
        CopyState::Whole => judge_restored(&around, &standing.model, &standing.unanswered),
        found => Err(format!("another backup in its place is {found:?}")),
    }
}
