//! Looks at a store and changes nothing, also while a daemon writes it.

use super::checkpoint::{LoadOptions, LoadedState, load_one};
use super::open::{OpenError, OpenReport, load, redo_together};
use super::{DeliveryState, Share, StoreState};
use crate::contracts::{Lsn, Sequence, Storage};
use crate::journal::{Redo, RedoRange, StoreId, inspect};

/// What a store was found to hold.
#[derive(Debug)]
pub struct Inspection {
    /// How many orders.
    pub orders: u64,
    /// The number of the last event.
    pub last_sequence: Sequence,
    /// What was decided about sinks.
    pub delivery: DeliveryState,
    /// What a start would find.
    pub report: OpenReport,
}

/// Rebuilds the state as a start does, a share of the orders at a time: what does not fit for a start does not fit here,
/// and never more than a part of `orders_about` orders is in memory. All shares are looked at up to the end that the first
/// one found, from the same checkpoint.
///
/// # Errors
/// As [`super::open_store`].
pub fn inspect_in_shares(
    storage: &dyn Storage,
    store_id: StoreId,
    must_reach: Lsn,
    orders_about: u64,
) -> Result<Inspection, OpenError> {
    let (first, others) = Share::of(orders_about);
    let options = |share| LoadOptions { share, command_ids_max: 0 };
    let loaded = load(storage, store_id, options(first))?;
    let (state, report) = redo_share(storage, store_id, must_reach, loaded, first, None)?;
    let mut orders = state.orders.count() as u64;
    let StoreState { delivery, last_sequence, .. } = state;
    for share in others {
        let loaded = match report.checkpoint_lsn {
            Lsn::ZERO => LoadedState::empty(0),
            covered => load_one(storage, store_id, covered, options(share))?,
        };
        let (state, _) = redo_share(storage, store_id, must_reach, loaded, share, Some(report.journal.last_lsn))?;
        orders = orders.saturating_add(state.orders.count() as u64);
    }
    Ok(Inspection { orders, last_sequence, delivery, report })
}

/// Rebuilds the whole state.
///
/// # Errors
/// As [`super::open_store`].
pub fn inspect_store(
    storage: &dyn Storage,
    store_id: StoreId,
    must_reach: Lsn,
) -> Result<(StoreState, OpenReport), OpenError> {
    let loaded = load(storage, store_id, LoadOptions { share: Share::ALL, command_ids_max: 0 })?;
    redo_share(storage, store_id, must_reach, loaded, Share::ALL, None)
}

/// Redoes the journal on a share of the state, up to `end` if there is one.
fn redo_share(
    storage: &dyn Storage,
    store_id: StoreId,
    must_reach: Lsn,
    loaded: LoadedState,
    share: Share,
    end: Option<Lsn>,
) -> Result<(StoreState, OpenReport), OpenError> {
    let range =
        RedoRange { after: loaded.covered, must_reach: must_reach.max(loaded.must_reach), points: loaded.points };
    let (mut state, already_maybe) = (loaded.state, loaded.required);
    let redo: &mut Redo<'_> = &mut |frames| {
        let count = frames.iter().take_while(|frame| end.is_none_or(|end| frame.lsn <= end)).count();
        redo_together(&mut state, frames.get(..count).unwrap_or_default(), already_maybe, share)
    };
    let recovered = inspect(storage, store_id, &range, redo)?;
    let report = OpenReport { journal: recovered, checkpoint_lsn: loaded.covered, damaged_checkpoints: loaded.damaged };
    Ok((state, report))
}
