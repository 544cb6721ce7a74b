//! What the database still holds of the past.

use std::sync::Arc;

use super::event_row::published_event;
use super::feed::{PostgresFeed, feed_error};
use super::order_row::{bigint, column, out_of_range, timestamp, unsigned};
use super::pool::Pool;
use super::{Connection, Database, DatabaseError};
use crate::contracts::{
    DecisionPage, EventFeed, EventHistory, FeedError, FeedPosition, Lsn, OrderEvents, PublishedEvent, Sequence,
};
use crate::domain::{OrderId, Timestamp};
use crate::repo::{DurableSequence, decode_decision};

/// Asks with connections of its own.
#[derive(Debug)]
pub struct PostgresHistory {
    pool: Arc<Pool>,
    durable_sequence: Arc<DurableSequence>,
}

impl PostgresHistory {
    /// Connects when it is asked first.
    #[must_use]
    pub fn new(database: Database, durable_sequence: Arc<DurableSequence>) -> Self {
        Self { pool: Arc::new(Pool::new(database, "reader")), durable_sequence }
    }

    fn ask<T>(&self, question: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>) -> Result<T, FeedError> {
        self.pool.ask(question).map_err(|error| feed_error(&error))
    }

    fn feed(&self, position: FeedPosition) -> Box<dyn EventFeed> {
        Box::new(PostgresFeed::new(Arc::clone(&self.pool), Arc::clone(&self.durable_sequence), position))
    }

    /// The first held event whose time makes `is_after` say yes; the one after the last if there is none.
    fn search_time(&self, is_after: impl Fn(Timestamp) -> bool) -> Result<Sequence, FeedError> {
        let (mut low, mut high) = (self.oldest_sequence()?, self.last_sequence().next());
        while low < high {
            let middle = Sequence(low.0.midpoint(high.0));
            let at = self.ask(|connection| occurred_at(connection, middle))?;
            // One that has gone meanwhile lies before what is looked for.
            if at.is_some_and(&is_after) {
                high = middle;
            } else {
                low = middle.next();
            }
        }
        Ok(low)
    }
}

fn occurred_at(connection: &mut Connection, sequence: Sequence) -> Result<Option<Timestamp>, DatabaseError> {
    let rows = connection.query("event_at", &[&bigint(sequence.0)])?;
    rows.first().map(|row| timestamp(column(row, 1)?)).transpose()
}

impl EventHistory for PostgresHistory {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        self.ask(|connection| {
            let rows = connection.query("outbox_bounds", &[])?;
            let row = rows.first().ok_or_else(|| out_of_range("head"))?;
            Ok(Sequence(unsigned(row, 0)?.min(unsigned(row, 1)?.saturating_add(1))))
        })
    }

    fn last_sequence(&self) -> Sequence {
        self.durable_sequence.get()
    }

    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        let oldest = self.oldest_sequence()?;
        if after.next() < oldest {
            return Err(FeedError::NotHeld { wanted: after.next(), oldest });
        }
        Ok(self.feed(FeedPosition { sequence: after, ..FeedPosition::START }))
    }

    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        Ok(self.feed(position))
    }

    fn first_at_or_after(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let found = self.search_time(|at| at >= time)?;
        Ok(Some(found).filter(|found| *found <= self.last_sequence()))
    }

    fn last_at_or_before(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let found = Sequence(self.search_time(|at| at > time)?.0.saturating_sub(1));
        let oldest = self.oldest_sequence()?;
        Ok(Some(found).filter(|found| *found >= oldest))
    }

    fn order_events(&self, order_id: OrderId, _: Lsn) -> Result<OrderEvents, FeedError> {
        let events: Vec<PublishedEvent> = self.ask(|connection| {
            let rows = connection.query("order_events", &[&order_id.uuid()])?;
            rows.iter().map(published_event).collect()
        })?;
        let complete = events.first().is_some_and(|first| first.entry.order_version == 1);
        Ok(OrderEvents { events, complete })
    }

    fn decisions(&self, after: Lsn, limit: usize, _plans_max: usize) -> Result<DecisionPage, FeedError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let decisions = self.ask(|connection| {
            let rows = connection.query("read_decisions", &[&bigint(after.0), &limit])?;
            let decision = |row| {
                let decision = decode_decision(column(row, 1)?).map_err(|error| {
                    DatabaseError::Refused(format!("a decision was written by a newer version: {error}"))
                })?;
                Ok((Lsn(unsigned(row, 0)?), decision))
            };
            rows.iter().map(decision).collect::<Result<Vec<_>, DatabaseError>>()
        })?;
        let at_end = i64::try_from(decisions.len()).unwrap_or(i64::MAX) < limit;
        let looked_to = decisions.last().map_or(after, |(lsn, _)| *lsn);
        Ok(DecisionPage { decisions, looked_to, at_end })
    }
}
