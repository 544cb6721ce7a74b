//! What PostgreSQL cannot hold of a journal.

use crate::contracts::PublishedEvent;
use crate::domain::OrderEvent;
use crate::postgres::order_row::has_nul_escape;

/// Whether PostgreSQL can hold an event.
///
/// # Errors
/// It cannot, and why.
pub fn check_event(event: &PublishedEvent) -> Result<(), String> {
    let metadata = event.entry.context.as_ref().and_then(|context| context.metadata.as_deref());
    let in_reason = match &event.entry.event {
        OrderEvent::Cancelled(cancelled) => cancelled.reason.as_ref().is_some_and(|text| text.as_str().contains('\0')),
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Snapshot(_) => false,
    };
    if !in_reason && !metadata.is_some_and(has_nul_escape) {
        return Ok(());
    }
    let (sequence, order_id) = (event.sequence, event.entry.event.order_id());
    Err(format!(
        "event {sequence} of order {order_id} has U+0000 in its reason or metadata, which PostgreSQL cannot hold: the \
         store can be migrated when the journal does not hold that event any more"
    ))
}
