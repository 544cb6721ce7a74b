//! Outbox entries as rows: `data` is the text that events carry as theirs.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use uuid::Uuid;

use super::DatabaseError;
use super::order_row::{column, out_of_range, status, timestamp, unsigned};
use crate::contracts::{OutboxEntry, PublishedEvent, Sequence, write_order};
use crate::domain::{
    CancelReason, Cents, CustomerId, EventContext, EventId, OrderCancelled, OrderCompleted, OrderEvent, OrderId,
    OrderPlaced, OrderState,
};

/// What [`published_event`] reads, in its order.
pub const EVENT_COLUMNS: &str = "sequence, lsn, store_epoch, event_id, order_id, order_version, event_type, \
    event_source, data::text, traceparent, tracestate";

/// The members in the order in which they are published.
#[derive(Serialize)]
struct Written<'a> {
    order_id: String,
    customer_id: String,
    total_amount: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    placed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(flatten)]
    cancelled: Option<WrittenCancellation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct WrittenCancellation<'a> {
    cancelled_at: String,
    cancelled_from: &'static str,
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct Read<'a> {
    customer_id: Uuid,
    total_amount: u64,
    #[serde(borrow)]
    placed_at: Option<&'a str>,
    #[serde(borrow)]
    completed_at: Option<&'a str>,
    #[serde(borrow)]
    cancelled_at: Option<&'a str>,
    #[serde(borrow)]
    cancelled_from: Option<&'a str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    /// Of a snapshot alone.
    #[serde(borrow)]
    status: Option<&'a str>,
    version: Option<u32>,
}

/// The type of events that are not in the outbox, but may be parked.
pub(super) const SNAPSHOT: &str = "OrderSnapshot";

/// The `data` of an entry.
pub(super) fn data(entry: &OutboxEntry) -> Result<String, serde_json::Error> {
    let metadata = entry.context.as_ref().and_then(|context| context.metadata.as_deref());
    let metadata: Option<&RawValue> = metadata.map(serde_json::from_str).transpose()?;
    let written = |customer_id: CustomerId, total_amount: Cents| Written {
        order_id: entry.event.order_id().to_string(),
        customer_id: customer_id.to_string(),
        total_amount: total_amount.get(),
        placed_at: None,
        completed_at: None,
        cancelled: None,
        metadata,
    };
    let at = entry.event.occurred_at().to_string();
    let written = match &entry.event {
        OrderEvent::Placed(event) => Written { placed_at: Some(at), ..written(event.customer_id, event.total_amount) },
        OrderEvent::Completed(event) => {
            Written { completed_at: Some(at), ..written(event.customer_id, event.total_amount) }
        }
        OrderEvent::Cancelled(event) => {
            let cancelled = WrittenCancellation {
                cancelled_at: at,
                cancelled_from: event.cancelled_from.as_str(),
                reason: event.reason.as_ref().map(CancelReason::as_str),
            };
            Written { cancelled: Some(cancelled), ..written(event.customer_id, event.total_amount) }
        }
        OrderEvent::Snapshot(state) => {
            let mut order = Vec::new();
            write_order(&mut order, state);
            return String::from_utf8(order).map_err(serde::ser::Error::custom);
        }
    };
    serde_json::to_string(&written)
}

/// An event of the outbox, or a parked one: [`EVENT_COLUMNS`] from the first column on.
///
/// # Errors
/// The row is not as SCHEMA.sql says.
pub fn published_event(row: &Row) -> Result<PublishedEvent, DatabaseError> {
    let order_id = OrderId::new(column::<Uuid>(row, 4)?);
    let order_version = u32::try_from(column::<i32>(row, 5)?).map_err(|_| out_of_range("version"))?;
    let data: Read<'_> = serde_json::from_str(column(row, 8)?).map_err(|error| {
        DatabaseError::Refused(format!("the data of an event of order {order_id} is not as it was stored: {error}"))
    })?;
    let [traceparent, tracestate] = [column::<Option<&str>>(row, 9)?, column::<Option<&str>>(row, 10)?];
    let context = EventContext {
        metadata: data.metadata.map(|metadata| metadata.get().into()),
        traceparent: traceparent.map(Box::from),
        tracestate: tracestate.map(Box::from),
    };
    let event = event(column(row, 6)?, order_id, &data)?;
    let context = (context != EventContext::default()).then(|| Box::new(context));
    let epoch = u32::try_from(unsigned(row, 2)?).map_err(|_| out_of_range("epoch"))?;
    Ok(PublishedEvent {
        sequence: Sequence(unsigned(row, 0)?),
        entry: OutboxEntry { id: EventId::new(column::<Uuid>(row, 3)?), order_version, event, context },
        source: Arc::from(column::<&str>(row, 7)?),
        epoch,
    })
}

fn event(event_type: &str, order_id: OrderId, data: &Read<'_>) -> Result<OrderEvent, DatabaseError> {
    let customer_id = CustomerId::new(data.customer_id);
    let total_amount = Cents::new(data.total_amount).map_err(|_| out_of_range("amount"))?;
    let time = |time: Option<&str>| timestamp(time.unwrap_or_default());
    match event_type {
        "OrderPlaced" => {
            let placed_at = time(data.placed_at)?;
            Ok(OrderEvent::Placed(OrderPlaced { order_id, customer_id, total_amount, placed_at }))
        }
        "OrderCompleted" => {
            let completed_at = time(data.completed_at)?;
            Ok(OrderEvent::Completed(OrderCompleted { order_id, customer_id, total_amount, completed_at }))
        }
        "OrderCancelled" => {
            let reason = data.reason.as_deref().map(CancelReason::new).transpose();
            Ok(OrderEvent::Cancelled(OrderCancelled {
                order_id,
                customer_id,
                total_amount,
                cancelled_at: time(data.cancelled_at)?,
                cancelled_from: status(data.cancelled_from.unwrap_or_default())?,
                reason: reason.map_err(|_| out_of_range("reason"))?,
            }))
        }
        SNAPSHOT => Ok(OrderEvent::Snapshot(OrderState {
            order_id,
            customer_id,
            total_amount,
            status: status(data.status.unwrap_or_default())?,
            version: data.version.ok_or_else(|| out_of_range("version"))?,
            placed_at: time(data.placed_at)?,
            completed_at: data.completed_at.map(timestamp).transpose()?,
            cancelled_at: data.cancelled_at.map(timestamp).transpose()?,
        })),
        _ => Err(out_of_range("event type")),
    }
}
