//! Outbox entries and events as they are stored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::order::cents;
use super::{OutOfRange, StoredOrder, StoredStatus, timestamp};
use crate::contracts::{OutboxEntry, PublishedEvent, Sequence};
use crate::domain::{
    CancelReason, CustomerId, EventContext, EventId, OrderCancelled, OrderCompleted, OrderEvent, OrderId, OrderPlaced,
};

/// An outbox entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::repo) struct StoredEntry<'a> {
    id: Uuid,
    order_version: u32,
    #[serde(borrow)]
    event: StoredEvent<'a>,
    context: Option<StoredContext<'a>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum StoredEvent<'a> {
    Placed(Common),
    Completed(Common),
    Cancelled {
        common: Common,
        cancelled_from: StoredStatus,
        reason: Option<&'a str>,
    },
    /// Of parked lanes alone.
    Snapshot(StoredOrder),
}

/// What every event says; `at` is when it happened.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Common {
    order_id: Uuid,
    customer_id: Uuid,
    total_amount: u64,
    at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StoredContext<'a> {
    metadata: Option<&'a str>,
    traceparent: Option<&'a str>,
    tracestate: Option<&'a str>,
}

/// An event with what it got when it was stored first: parked events keep it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::repo) struct StoredPublished<'a> {
    sequence: u64,
    source: &'a str,
    epoch: u32,
    #[serde(borrow)]
    entry: StoredEntry<'a>,
}

/// About what a parked event takes when it is stored: for limits, not for offsets.
pub(in crate::repo) fn stored_bytes(event: &PublishedEvent) -> u64 {
    const FIXED: usize = 96;
    let reason = match &event.entry.event {
        OrderEvent::Cancelled(cancelled) => cancelled.reason.as_ref().map_or(0, |reason| reason.as_str().len()),
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Snapshot(_) => 0,
    };
    let context = event.entry.context.as_ref().map_or(0, |context| {
        let EventContext { metadata, traceparent, tracestate } = &**context;
        [metadata, traceparent, tracestate].into_iter().flatten().map(|text| text.len()).sum()
    });
    [FIXED, event.source.len(), reason, context].into_iter().sum::<usize>() as u64
}

impl<'a> From<&'a OutboxEntry> for StoredEntry<'a> {
    fn from(entry: &'a OutboxEntry) -> Self {
        Self {
            id: entry.id.uuid(),
            order_version: entry.order_version,
            event: StoredEvent::from(&entry.event),
            context: entry.context.as_ref().map(|context| StoredContext {
                metadata: context.metadata.as_deref(),
                traceparent: context.traceparent.as_deref(),
                tracestate: context.tracestate.as_deref(),
            }),
        }
    }
}

impl TryFrom<StoredEntry<'_>> for OutboxEntry {
    type Error = OutOfRange;

    fn try_from(stored: StoredEntry<'_>) -> Result<Self, OutOfRange> {
        Ok(Self {
            id: EventId::new(stored.id),
            order_version: stored.order_version,
            event: OrderEvent::try_from(stored.event)?,
            context: stored.context.map(|context| {
                let StoredContext { metadata, traceparent, tracestate } = context;
                Box::new(EventContext {
                    metadata: metadata.map(Box::from),
                    traceparent: traceparent.map(Box::from),
                    tracestate: tracestate.map(Box::from),
                })
            }),
        })
    }
}

impl<'a> From<&'a OrderEvent> for StoredEvent<'a> {
    fn from(event: &'a OrderEvent) -> Self {
        let common = |customer_id: CustomerId, total_amount: crate::domain::Cents| Common {
            order_id: event.order_id().uuid(),
            customer_id: customer_id.uuid(),
            total_amount: total_amount.get(),
            at: event.occurred_at().micros(),
        };
        match event {
            OrderEvent::Placed(placed) => Self::Placed(common(placed.customer_id, placed.total_amount)),
            OrderEvent::Completed(completed) => Self::Completed(common(completed.customer_id, completed.total_amount)),
            OrderEvent::Cancelled(cancelled) => Self::Cancelled {
                common: common(cancelled.customer_id, cancelled.total_amount),
                cancelled_from: cancelled.cancelled_from.into(),
                reason: cancelled.reason.as_ref().map(CancelReason::as_str),
            },
            OrderEvent::Snapshot(order) => Self::Snapshot(order.into()),
        }
    }
}

impl TryFrom<StoredEvent<'_>> for OrderEvent {
    type Error = OutOfRange;

    fn try_from(stored: StoredEvent<'_>) -> Result<Self, OutOfRange> {
        let of = |common: Common| {
            let (order_id, customer_id) = (OrderId::new(common.order_id), CustomerId::new(common.customer_id));
            Ok::<_, OutOfRange>((order_id, customer_id, cents(common.total_amount)?, timestamp(common.at)?))
        };
        Ok(match stored {
            StoredEvent::Placed(common) => {
                let (order_id, customer_id, total_amount, placed_at) = of(common)?;
                Self::Placed(OrderPlaced { order_id, customer_id, total_amount, placed_at })
            }
            StoredEvent::Completed(common) => {
                let (order_id, customer_id, total_amount, completed_at) = of(common)?;
                Self::Completed(OrderCompleted { order_id, customer_id, total_amount, completed_at })
            }
            StoredEvent::Cancelled { common, cancelled_from, reason } => {
                let (order_id, customer_id, total_amount, cancelled_at) = of(common)?;
                let reason = reason.map(CancelReason::new).transpose().map_err(|_| OutOfRange("reason"))?;
                let from = cancelled_from.into();
                let cancelled =
                    OrderCancelled { order_id, customer_id, total_amount, cancelled_at, cancelled_from: from, reason };
                Self::Cancelled(cancelled)
            }
            StoredEvent::Snapshot(order) => Self::Snapshot(order.try_into()?),
        })
    }
}

impl<'a> From<&'a PublishedEvent> for StoredPublished<'a> {
    fn from(event: &'a PublishedEvent) -> Self {
        let entry = StoredEntry::from(&event.entry);
        Self { sequence: event.sequence.0, source: &event.source, epoch: event.epoch, entry }
    }
}

impl TryFrom<StoredPublished<'_>> for PublishedEvent {
    type Error = OutOfRange;

    fn try_from(stored: StoredPublished<'_>) -> Result<Self, OutOfRange> {
        let (sequence, source) = (Sequence(stored.sequence), Arc::from(stored.source));
        Ok(Self { sequence, entry: OutboxEntry::try_from(stored.entry)?, source, epoch: stored.epoch })
    }
}
