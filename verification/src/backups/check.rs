//! Holds a copy, and the store that is made of it, to what was acknowledged.

use std::sync::Arc;

use orderd::app::begin_epoch_at;
use orderd::backup::{BackupError, back_up, restore};
use orderd::config::SinkStart;
use orderd::contracts::{Clock, Command, ConnectionId, Envelope, Folders, Request, Ticket};
use orderd::domain::{Cents, CustomerId, OrderId};
use uuid::Uuid;

use super::{COPY, KillableDisk, RESTORED, Unpinned};
use crate::clock::CountedIds;
use crate::daemon::{Daemon, StartError};
use crate::environment::Environment;
use crate::model::{Model, Verdict};
use crate::oracle::{Unanswered, audit, judge, judge_sinks};

/// What is in the folder of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// There is no such folder.
    Missing,
    /// It says itself that it is unfinished, and is refused.
    Unfinished,
    /// It was restored, and is what it must be.
    Whole,
}

/// Looks at the folder of a backup, on a disk that is used for nothing else: a daemon refuses it, and it is missing,
/// says that it is unfinished, or holds `expected`.
///
/// # Errors
/// It is half a backup, or one of another history.
pub fn check_copy(around: &Environment, expected: Option<&Model>) -> Result<CopyState, String> {
    if exists(around, COPY)? {
        is_not_served(around)?;
    }
    match restore_copy(around, None)? {
        CopyState::Whole => {
            let expected = expected.ok_or("a backup is whole that never got to its position")?;
            judge_restored(around, expected, &[])?;
            Ok(CopyState::Whole)
        }
        found => Ok(found),
    }
}

fn exists(around: &Environment, path: &str) -> Result<bool, String> {
    around.disk.kind(path).map(|kind| kind.is_some()).map_err(|error| error.to_string())
}

/// A daemon that takes the folder of a backup for its data directory refuses it, and leaves it as it is.
fn is_not_served(around: &Environment) -> Result<(), String> {
    let before = around.disk.fingerprint();
    let mut served = around.clone();
    served.data_dir = COPY.to_owned();
    match Daemon::start(&served) {
        Err(StartError::Damaged(_)) if around.disk.fingerprint() == before => Ok(()),
        Err(StartError::Damaged(_)) => Err("a backup was changed by a daemon that refused it".to_owned()),
        Err(error) => Err(format!("a daemon finds in a backup: {error:?}")),
        Ok(_) => Err("a daemon serves a backup".to_owned()),
    }
}

/// Makes a store of the backup by a program that is killed after a number of calls: it is there whole, or not at all.
///
/// # Errors
/// The backup is there, finished, and cannot be restored.
pub fn restore_copy(around: &Environment, calls: Option<u64>) -> Result<CopyState, String> {
    if !exists(around, COPY)? {
        return Ok(CopyState::Missing);
    }
    let disk = KillableDisk::new(around.disk.clone(), calls);
    let files: Arc<dyn Folders> = Arc::new(disk.clone());
    let made = restore(&files, COPY, RESTORED, &mut Unpinned);
    if disk.is_dead() {
        return if exists(around, RESTORED)? {
            Err("a restore was killed before it was done, and its store has its name".to_owned())
        } else {
            Ok(CopyState::Missing)
        };
    }
    let restored = match made {
        Ok(restored) => restored,
        Err(BackupError::Damaged(text)) if text.contains("unfinished") => {
            return if exists(around, RESTORED)? {
                Err("an unfinished backup was restored".to_owned())
            } else {
                Ok(CopyState::Unfinished)
            };
        }
        Err(error) => return Err(format!("HALF: the backup cannot be restored: {error}")),
    };
    let clock: Arc<dyn Clock> = Arc::new(around.clock.clone());
    match begin_epoch_at(&restored.storage(), clock, &around.store_options(), 0) {
        Ok(_) => {}
        Err(_) if disk.is_dead() => return Ok(CopyState::Missing),
        Err(error) => return Err(format!("HALF: a restored store cannot be opened: {error}")),
    }
    match restored.finish() {
        Ok(()) => Ok(CopyState::Whole),
        Err(_) if disk.is_dead() => Ok(if exists(around, RESTORED)? { CopyState::Whole } else { CopyState::Missing }),
        Err(error) => Err(format!("a restored store cannot get its name: {error}")),
    }
}

/// Starts a daemon over the restored store: it holds `expected` and nothing else, is of the next epoch, and goes on.
///
/// # Errors
/// It does not.
pub fn judge_restored(around: &Environment, expected: &Model, unanswered: &[Unanswered]) -> Result<(), String> {
    let mut served = around.clone();
    served.data_dir = RESTORED.to_owned();
    served.ids = CountedIds::starting_at(1 << 41);
    for sink in &mut served.sinks {
        // Consumers of its own: those of the lost store may have seen more than is in the copy.
        (sink.start, sink.consumer, sink.fault_profile) = (SinkStart::Now, Default::default(), Default::default());
    }
    let mut model = expected.clone();
    model.was_restored = true;
    let mut daemon = Daemon::start(&served).map_err(|error| format!("a restored store does not start: {error:?}"))?;
    let told = |problem: String| format!("restored: {problem}");
    judge(&mut model, &daemon, unanswered).map_err(told)?;
    for position in &daemon.positions {
        if position.sequence.0 > model.plans.len() as u64 {
            return Err(told(format!("a cursor is at {}, beyond the journal", position.sequence)));
        }
    }
    place(&mut daemon, &served, &mut model).map_err(told)?;
    let in_snapshot = daemon.snapshots.iter().flatten().any(|snapshot| snapshot.left > 0);
    if !in_snapshot {
        daemon.drain(&served.clock).map_err(told)?;
        judge_sinks(&model, &served.sinks).map_err(told)?;
    }
    audit(&model, &daemon).map(drop).map_err(told)
}

/// One order more, whose event carries the new epoch.
fn place(daemon: &mut Daemon, around: &Environment, model: &mut Model) -> Result<(), String> {
    let order_id = Some(OrderId::new(Uuid::from_u128(0x0F)));
    let customer_id = CustomerId::new(Uuid::from_u128(1));
    let command = Command::Place { order_id, customer_id, total_amount: Cents::new(1).unwrap_or(Cents::MAX) };
    let request = Request::change(command, None);
    let sent = Envelope { connection: ConnectionId(1), ticket: Ticket::default(), uid: 0, request: request.clone() };
    let at = around.clock.now();
    let answers = daemon.executor.run(&[sent]).map_err(|error| format!("a batch failed: {error}"))?;
    for answer in &answers {
        let verdict = model.check_answer(&request, at, answer)?;
        // A journal of few bytes may have no room for another segment.
        if !matches!(verdict, Verdict::Changed | Verdict::Full | Verdict::Refused) {
            return Err(format!("a new order was answered {verdict:?}"));
        }
    }
    Ok(())
}

/// Backs the store up without a daemon, in place of an unfinished backup.
///
/// # Errors
/// It cannot be backed up.
pub fn back_up_stopped(around: &Environment) -> Result<(), String> {
    let files: Arc<dyn Folders> = Arc::new(around.disk.clone());
    let made = back_up(&files, &around.data_dir, COPY, &mut Unpinned);
    made.map(drop).map_err(|error| format!("a backup cannot be made: {error}"))
}
