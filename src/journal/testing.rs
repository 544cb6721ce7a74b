//! A journal in memory, started as the daemon does.

use std::sync::Arc;
use std::time::Duration;

use super::{Journal, JournalOptions, Recovered, RecoveryError, Redo, RedoFrame, RedoRange, recover};
use crate::contracts::{Lsn, Room, Storage};
pub use crate::testkit::{STORE_ID, SteppedClock, Watched};

pub const ALL: RedoRange = RedoRange { after: Lsn::ZERO, must_reach: Lsn::ZERO, points: Vec::new() };

pub const OPTIONS: JournalOptions = JournalOptions {
    segment_bytes: 64 << 10,
    bytes_max: 1 << 30,
    batch_bytes_max: 16 << 10,
    plan_bytes_max: (8 << 10) - 40,
    decisions_bytes: 0,
    full_probe: Duration::from_millis(500),
    epoch_seed: 1,
};

/// Starts as the daemon does; gives the bodies that were replayed, too.
pub fn try_start(
    storage: &Watched,
    clock: &SteppedClock,
    options: JournalOptions,
    range: RedoRange,
) -> Result<(Journal, Recovered, Vec<Vec<u8>>), RecoveryError> {
    let mut bodies = Vec::new();
    let redo: &mut Redo<'_> = &mut |frames: &[RedoFrame<'_>]| {
        bodies.extend(frames.iter().map(|frame| frame.body.to_vec()));
        Ok(())
    };
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let (journal, recovered) = recover(&storage, STORE_ID, &range, redo)?.open(Arc::new(clock.clone()), options)?;
    Ok((journal, recovered, bodies))
}

pub fn start(storage: &Watched) -> Journal {
    try_start(storage, &SteppedClock::default(), OPTIONS, ALL).unwrap().0
}

/// A plan, in a batch of its own.
pub fn append(journal: &mut Journal, body: &[u8]) {
    assert!(journal.make_room().unwrap() == Room::ForAll);
    journal.stage(body);
    journal.commit().unwrap();
}
