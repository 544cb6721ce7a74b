//! Durable events in their order, read ahead in short transactions.

use std::collections::VecDeque;
use std::sync::Arc;

use super::connection::Step;
use super::event_row::published_event;
use super::order_row::{bigint, unsigned};
use super::pool::Pool;
use super::{Connection, DatabaseError};
use crate::contracts::{EventFeed, FeedError, FeedPosition, PublishedEvent, Sequence};
use crate::repo::DurableSequence;

/// Events that one question asks for.
const READ_EVENTS: u64 = 2000;

/// Reads forward from a position. No transaction is open between two reads.
pub(super) struct PostgresFeed {
    pool: Arc<Pool>,
    durable_sequence: Arc<DurableSequence>,
    /// After the last event that was given out.
    position: FeedPosition,
    /// What was read and not given out yet.
    ahead: VecDeque<PublishedEvent>,
}

impl PostgresFeed {
    pub(super) const fn new(pool: Arc<Pool>, durable_sequence: Arc<DurableSequence>, position: FeedPosition) -> Self {
        Self { pool, durable_sequence, position, ahead: VecDeque::new() }
    }

    fn fetch(&mut self) -> Result<(), FeedError> {
        let position = self.position;
        match self.pool.ask(|connection| read(connection, position.sequence)) {
            Ok(Answer { epoch_before, events }) => {
                check_history(position, epoch_before)?;
                self.ahead = events;
                Ok(())
            }
            // While the database is away there is nothing to read; whoever finds it again wakes the worker.
            Err(error @ (DatabaseError::Unavailable(_) | DatabaseError::Conflict { .. })) => {
                tracing::debug!(%error, "the outbox cannot be read now");
                Ok(())
            }
            Err(error) => Err(feed_error(&error)),
        }
    }
}

struct Answer {
    /// Of the event before: `None` if it is not held any more.
    epoch_before: Option<u64>,
    events: VecDeque<PublishedEvent>,
}

fn read(connection: &mut Connection, after: Sequence) -> Result<Answer, DatabaseError> {
    let (after, count) = (bigint(after.0), bigint(READ_EVENTS));
    let steps =
        [Step { name: "event_at", params: vec![&after] }, Step { name: "read_events", params: vec![&after, &count] }];
    let mut answers = connection.pipeline(&steps)?.into_iter();
    let before = answers.next().unwrap_or_default();
    let events = answers.next().unwrap_or_default();
    Ok(Answer {
        epoch_before: before.first().map(|row| unsigned(row, 0)).transpose()?,
        events: events.iter().map(published_event).collect::<Result<_, _>>()?,
    })
}

/// A database that lost its last transactions in a failover goes on with other events under their numbers.
fn check_history(position: FeedPosition, epoch_before: Option<u64>) -> Result<(), FeedError> {
    let is_other = epoch_before.is_some_and(|epoch| position.epoch > 0 && epoch != u64::from(position.epoch));
    if is_other {
        let (sequence, epoch) = (position.sequence, position.epoch);
        return Err(FeedError::OtherHistory(format!("the database's event {sequence} is not of epoch {epoch}")));
    }
    Ok(())
}

pub(super) fn feed_error(error: &DatabaseError) -> FeedError {
    match error {
        DatabaseError::Refused(problem) => FeedError::Damaged(problem.clone()),
        DatabaseError::Unavailable(_)
        | DatabaseError::Conflict { .. }
        | DatabaseError::NoPartition(_)
        | DatabaseError::Full(_) => FeedError::Io(std::io::Error::other(error.to_string())),
    }
}

impl EventFeed for PostgresFeed {
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        if self.ahead.is_empty() && self.position.sequence < self.durable_sequence.get() {
            self.fetch()?;
        }
        for _ in 0..events_max {
            let Some(event) = self.ahead.pop_front() else { break };
            let expected = self.position.sequence.next();
            if event.sequence != expected {
                let problem = format!("event {expected} should be next, and event {} is", event.sequence);
                return Err(FeedError::Damaged(problem));
            }
            self.position = FeedPosition { sequence: event.sequence, epoch: event.epoch, ..FeedPosition::START };
            batch.push(event);
        }
        Ok(())
    }

    fn position(&self) -> FeedPosition {
        self.position
    }

    fn durable_sequence(&self) -> Sequence {
        self.durable_sequence.get().max(self.position.sequence)
    }
}
