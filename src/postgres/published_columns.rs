//! Events with what they got when they were stored, column by column.

use uuid::Uuid;

use super::DatabaseError;
use super::connection::{Param, Step};
use super::event_row::data;
use super::order_row::{bigint, integer};
use crate::contracts::{Lsn, PublishedEvent};

/// Events, column by column.
#[derive(Debug, Default)]
pub(super) struct PublishedColumns {
    sequences: Vec<i64>,
    lsns: Vec<i64>,
    epochs: Vec<i64>,
    ids: Vec<Uuid>,
    orders: Vec<Uuid>,
    versions: Vec<i32>,
    types: Vec<&'static str>,
    sources: Vec<String>,
    data: Vec<String>,
    traceparents: Vec<Option<String>>,
    tracestates: Vec<Option<String>>,
}

impl PublishedColumns {
    pub(super) fn push(&mut self, lsn: Lsn, event: &PublishedEvent) -> Result<(), DatabaseError> {
        let entry = &event.entry;
        let data = data(entry).map_err(|error| DatabaseError::Refused(format!("event {}: {error}", event.sequence)))?;
        let context = entry.context.as_deref();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        self.sequences.push(bigint(event.sequence.0));
        self.lsns.push(bigint(lsn.0));
        self.epochs.push(i64::from(event.epoch));
        self.ids.push(entry.id.uuid());
        self.orders.push(entry.event.order_id().uuid());
        self.versions.push(integer(entry.order_version));
        self.types.push(entry.event.event_type());
        self.sources.push(event.source.to_string());
        self.data.push(data);
        self.traceparents.push(owned(context.and_then(|context| context.traceparent.as_deref())));
        self.tracestates.push(owned(context.and_then(|context| context.tracestate.as_deref())));
        Ok(())
    }

    /// Into the outbox, with their numbers.
    pub(super) fn bring_step(&self) -> Step<'_> {
        let mut params: Vec<Param<'_>> = vec![&self.sequences, &self.lsns];
        params.extend(self.columns_after_lsn());
        Step { name: "bring_events", params }
    }

    fn columns_after_lsn(&self) -> [Param<'_>; 9] {
        let Self { epochs, ids, orders, versions, types, sources, data, traceparents, tracestates, .. } = self;
        [epochs, ids, orders, versions, types, sources, data, traceparents, tracestates]
    }
}

/// Parked events that are not taken from the outbox.
#[derive(Debug, Default)]
pub(super) struct ParkedColumns {
    sinks: Vec<String>,
    events: PublishedColumns,
}

impl ParkedColumns {
    pub(super) fn push(&mut self, sink: &str, event: &PublishedEvent) -> Result<(), DatabaseError> {
        self.sinks.push(sink.to_owned());
        self.events.push(Lsn::ZERO, event)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    /// Into their lanes.
    pub(super) fn step(&self) -> Step<'_> {
        let mut params: Vec<Param<'_>> = vec![&self.sinks, &self.events.sequences];
        params.extend(self.events.columns_after_lsn());
        Step { name: "bring_parked", params }
    }
}
