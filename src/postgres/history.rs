//! The outbox as relays and operators read it.

use std::io;
use std::sync::Arc;

use super::Database;
use crate::contracts::{DecisionPage, EventFeed, EventHistory, FeedError, FeedPosition, Lsn, OrderEvents, Sequence};
use crate::domain::Timestamp;
use crate::repo::DurableSequence;

/// Reads the outbox with connections of its own.
#[derive(Debug)]
pub struct PostgresHistory {
    _database: Database,
    durable_sequence: Arc<DurableSequence>,
}

impl PostgresHistory {
    /// Connects when it is asked first.
    #[must_use]
    pub const fn new(database: Database, durable_sequence: Arc<DurableSequence>) -> Self {
        Self { _database: database, durable_sequence }
    }
}

fn missing() -> FeedError {
    FeedError::Io(io::ErrorKind::Unsupported.into())
}

impl EventHistory for PostgresHistory {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        Err(missing())
    }

    fn last_sequence(&self) -> Sequence {
        self.durable_sequence.get()
    }

    fn open_after(&self, _after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        Err(missing())
    }

    fn open_at(&self, _position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        Err(missing())
    }

    fn first_at_or_after(&self, _time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Err(missing())
    }

    fn last_at_or_before(&self, _time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Err(missing())
    }

    fn order_events(&self, _last_lsn: Lsn) -> Result<OrderEvents, FeedError> {
        Err(missing())
    }

    fn decisions(&self, _after: Lsn, _limit: usize, _plans_max: usize) -> Result<DecisionPage, FeedError> {
        Err(missing())
    }
}
