//! What keeps a store still while it is copied, in one thread.

use orderd::backup::{BackupError, BackupSource, Part, Position};
use orderd::contracts::{ConnectionId, Envelope, OperatorRequest, OperatorResult, Outcome, Request, Ticket};

use crate::daemon::Daemon;

/// The connection of whoever makes backups.
const CONNECTION: ConnectionId = ConnectionId(77);

/// A store that nobody uses.
pub struct Unpinned;

impl BackupSource for Unpinned {
    fn hold(&mut self) -> Result<(), BackupError> {
        Ok(())
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        Ok(None)
    }

    fn part_done(&mut self, _part: Part) -> Result<(), BackupError> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

/// `store.pin`
///
/// # Errors
/// The daemon ended, or refused.
pub fn pin(daemon: &mut Daemon) -> Result<Position, BackupError> {
    match ask(daemon, OperatorRequest::StorePin)? {
        OperatorResult::Pinned { lsn, last_sequence, storeepoch, .. } => {
            Ok(Position { lsn, last_sequence: last_sequence.0, epoch: storeepoch })
        }
        other => Err(BackupError::Daemon(format!("store.pin was answered {other:?}"))),
    }
}

/// The connection closes, and its pins go with it.
///
/// # Errors
/// The daemon ended, or refused.
pub fn unpin_all(daemon: &mut Daemon) -> Result<(), BackupError> {
    ask(daemon, OperatorRequest::StoreUnpinAll).map(drop)
}

fn ask(daemon: &mut Daemon, request: OperatorRequest) -> Result<OperatorResult, BackupError> {
    let request = Request::Operate(Box::new(request));
    let sent = Envelope { connection: CONNECTION, ticket: Ticket::default(), uid: 0, request };
    let answers = daemon.executor.run(&[sent]).map_err(|error| BackupError::Daemon(error.to_string()))?;
    match answers.into_iter().next().map(|answer| answer.outcome) {
        Some(Outcome::Operated(result)) => Ok(*result),
        other => Err(BackupError::Daemon(format!("the daemon answered {other:?}"))),
    }
}
