//! An order as of one position, as the event that a sink gets that starts with a snapshot.

use std::sync::Arc;

use super::{EventHistory, FeedError, OrderRow, OutboxEntry, PublishedEvent, Sequence, SnapshotStart};
use crate::domain::{EventId, OrderEvent, OrderState};

/// The snapshot of an order as of the event `at`. Everything in it follows from the row, the position and what was
/// recorded with it: the same row gives the same bytes, however often it is asked for.
///
/// # Errors
/// See [`FeedError`]: what has changed since the position is told from the journal.
pub fn order_snapshot(
    row: &OrderRow,
    at: Sequence,
    start: &SnapshotStart,
    source: &Arc<str>,
    history: &dyn EventHistory,
) -> Result<PublishedEvent, FeedError> {
    let state = as_of(row, at, start, history)?;
    let id = EventId::of_snapshot(state.order_id, start.epoch, at.0);
    let event = OrderEvent::Snapshot(state);
    let entry = OutboxEntry { id, order_version: state.version, event, context: None };
    Ok(PublishedEvent { sequence: at, entry, source: Arc::clone(source), epoch: start.epoch })
}

/// The order as it was at the position: the first event that it raised after that tells the version.
fn as_of(
    row: &OrderRow,
    at: Sequence,
    start: &SnapshotStart,
    history: &dyn EventHistory,
) -> Result<OrderState, FeedError> {
    if row.last_lsn <= start.lsn {
        return Ok(row.state);
    }
    let raised = history.order_events(row.state.order_id, row.last_lsn)?.events;
    let first_after = raised.iter().find(|event| event.sequence > at);
    let version = first_after.map(|event| event.entry.order_version.saturating_sub(1)).filter(|version| *version > 0);
    version.map(|version| row.state.as_of(version)).ok_or_else(|| {
        let order_id = row.state.order_id;
        FeedError::Damaged(format!("order {order_id} cannot be shown as of event {at}: its chain of plans ends"))
    })
}
