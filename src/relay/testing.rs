//! Stand-ins for the outside, for the relay's own tests.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::WorkerSettings;
use crate::contracts::{
    DecisionPage, Delivery, EventFeed, EventHistory, FeedError, FeedPosition, Lsn, OrderEvents, OrderRows, OutboxEntry,
    PublishedEvent, RowsAnswer, Sequence, Sink, SinkError, SinkType,
};
use crate::domain::{CancelReason, Cents, CustomerId, Order, OrderId, Timestamp};
use crate::repo::JournalPosition;

pub(crate) const STORE_ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_def0_0123_4567_89ab_cdef);

pub(crate) fn settings() -> WorkerSettings {
    WorkerSettings {
        name: "events".to_owned(),
        sink_type: SinkType::File,
        batch_events_max: 10,
        batch_bytes_max: 1 << 20,
        cursor_events_max: 20,
        cursor_delay_max: Duration::from_millis(100),
        failures_listed_max: 100,
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(30),
        rate_events_per_s_max: None,
        backoff_seed: 1,
        drain_max: Duration::from_secs(1),
    }
}

/// Sinks that start with no snapshot ask for none.
pub(super) struct NoRows;

impl OrderRows for NoRows {
    fn ask(&self, _: u64, _: usize, _: RowsAnswer) -> bool {
        true
    }
}

/// Event number `sequence` of the one history that all tests share; every plan holds two events.
pub(crate) fn event(sequence: u64) -> PublishedEvent {
    let order_id = OrderId::new(Uuid::from_u128(u128::from(sequence)));
    let at = |micros| Timestamp::from_micros(1_795_000_000_000_000 + micros).unwrap();
    let at_micros = i64::try_from(sequence).unwrap() * 1000;
    let amount = Cents::new(sequence).unwrap();
    let mut order = Order::place(order_id, CustomerId::new(Uuid::from_u128(7)), amount, at(at_micros));
    match sequence % 3 {
        0 => {}
        1 => order.complete(at(at_micros)).unwrap(),
        _ => order.cancel(at(at_micros), Some(CancelReason::new("too \"late\"\n").unwrap())).unwrap(),
    }
    let entry = OutboxEntry::from(order.events().events().last().unwrap().clone());
    PublishedEvent { sequence: Sequence(sequence), entry, source: "/orderd".into(), epoch: 1 }
}

pub(crate) fn position(sequence: u64) -> FeedPosition {
    if sequence == 0 {
        return FeedPosition::START;
    }
    let body_crc = crc32c::crc32c(&sequence.to_le_bytes());
    let lsn = Lsn(sequence.div_ceil(2));
    JournalPosition { sequence: Sequence(sequence), epoch: 1, lsn, segment: Lsn(1), offset: 64 * lsn.0, body_crc }
        .into()
}

pub(crate) fn lines(first: u64, last: u64) -> Vec<u8> {
    let mut lines = Vec::new();
    for sequence in first..=last {
        super::cloud_event::render(&event(sequence), &mut lines).unwrap();
        lines.push(b'\n');
    }
    lines
}

/// What is durable; shared between a test and a reader.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<OutboxState>>);

#[derive(Debug, Default)]
struct OutboxState {
    durable: u64,
    failure: Option<FeedError>,
    reads: u64,
    skip: bool,
}

impl Outbox {
    pub(crate) fn grow_to(&self, durable: u64) {
        self.0.lock().unwrap().durable = durable;
    }

    pub(crate) fn fail_next_read(&self, failure: FeedError) {
        self.0.lock().unwrap().failure = Some(failure);
    }

    /// The sixth event is not there for the readers to come.
    pub(crate) fn skip_one_event(&self) {
        self.0.lock().unwrap().skip = true;
    }

    pub(crate) fn reader_at(&self, sequence: u64) -> Box<dyn EventFeed> {
        Box::new(FakeReader { outbox: self.clone(), at: sequence })
    }
}

impl EventHistory for Outbox {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        Ok(Sequence(1))
    }

    fn last_sequence(&self) -> Sequence {
        Sequence(self.0.lock().unwrap().durable)
    }

    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        Ok(self.reader_at(after.0))
    }

    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        Ok(self.reader_at(position.sequence.0))
    }

    fn first_at_or_after(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Ok(None)
    }

    fn last_at_or_before(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        Ok(None)
    }

    fn order_events(&self, _: OrderId, _: Lsn) -> Result<OrderEvents, FeedError> {
        Ok(OrderEvents::default())
    }

    fn decisions(&self, _: Lsn, _: usize, _: usize) -> Result<DecisionPage, FeedError> {
        Ok(DecisionPage::default())
    }
}

struct FakeReader {
    outbox: Outbox,
    at: u64,
}

impl EventFeed for FakeReader {
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        let mut state = self.outbox.0.lock().unwrap();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        state.reads += 1;
        // Now and then a short read, as at the end of a segment.
        let most = if state.reads.is_multiple_of(3) { 3.min(events_max) } else { events_max };
        for _ in 0..most {
            if self.at < state.durable {
                self.at += if state.skip && self.at == 5 { 2 } else { 1 };
                batch.push(event(self.at));
            }
        }
        Ok(())
    }

    fn position(&self) -> FeedPosition {
        position(self.at)
    }

    fn durable_sequence(&self) -> Sequence {
        Sequence(self.outbox.0.lock().unwrap().durable)
    }
}

/// A sink that keeps what it is offered and does as it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSink(Arc<Mutex<SinkLog>>);

#[derive(Debug, Default)]
pub(crate) struct SinkLog {
    /// Every batch that was offered, and whether it was taken.
    pub(crate) offers: Vec<Offer>,
    pub(crate) failures_left: u64,
    pub(crate) reopened: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) lines: Vec<u8>,
    pub(crate) taken: bool,
}

impl FakeSink {
    pub(crate) fn fail_next(&self, failures: u64) {
        self.0.lock().unwrap().failures_left = failures;
    }

    pub(crate) fn offers(&self) -> Vec<Offer> {
        self.0.lock().unwrap().offers.clone()
    }

    pub(crate) fn reopened(&self) -> u64 {
        self.0.lock().unwrap().reopened
    }

    /// The last event that was taken.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.0.lock().unwrap().offers.iter().rfind(|offer| offer.taken).map_or(0, |offer| offer.last)
    }
}

impl Sink for FakeSink {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        let mut log = self.0.lock().unwrap();
        let taken = log.failures_left == 0;
        log.failures_left = log.failures_left.saturating_sub(1);
        let (first, last) = (delivery.first.0, delivery.last.0);
        assert_eq!(delivery.events as u64, last - first + 1);
        log.offers.push(Offer { first, last, lines: delivery.lines.to_vec(), taken });
        let source = io::Error::other("told to fail");
        if taken {
            Ok(())
        } else {
            Err(SinkError { operation: "write", target: "fake".to_owned(), is_final: false, source })
        }
    }

    fn reopen(&mut self) {
        self.0.lock().unwrap().reopened += 1;
    }
}
