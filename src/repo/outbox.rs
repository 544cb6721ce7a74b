//! The outbox, read from the journal: the entries of durable plans, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{JournalPosition, PlanRecord, PlanRecordError};
use crate::contracts::{EventFeed, FeedError, FeedPosition, Lsn, Mutation, OutboxEntry, PublishedEvent, Sequence};
use crate::domain::{Order, RaisedEvent};
use crate::journal::{JournalHandle, JournalReader};

/// One outbox entry for each event that the order raised, oldest first. The order gives its events up: they are stored
/// with this plan, and with no other.
pub fn outbox_muts(order: &mut Order) -> Vec<Mutation> {
    order.take_events().into_iter().map(|raised| Mutation::InsertOutbox(raised.into())).collect()
}

impl From<RaisedEvent> for OutboxEntry {
    fn from(raised: RaisedEvent) -> Self {
        Self { id: raised.id, order_version: raised.order_version, event: raised.event, context: None }
    }
}

/// The number of the last durable event: written by the store after each commit, read by the relay.
#[derive(Debug)]
pub struct DurableSequence(AtomicU64);

impl DurableSequence {
    /// Begins with `sequence`.
    #[must_use]
    pub const fn new(sequence: Sequence) -> Self {
        Self(AtomicU64::new(sequence.0))
    }

    /// From now on events up to this one are durable.
    pub fn set(&self, sequence: Sequence) {
        self.0.store(sequence.0, Ordering::Relaxed);
    }

    /// The last event that is durable.
    #[must_use]
    pub fn get(&self) -> Sequence {
        Sequence(self.0.load(Ordering::Relaxed))
    }
}

/// Reads the outbox forward from a position.
pub struct JournalOutbox {
    reader: JournalReader,
    durable_sequence: Arc<DurableSequence>,
    position: JournalPosition,
    /// The source of the last event; most events have the same, and share it.
    source: Arc<str>,
    /// The position may be inside a plan: the events before it are passed over.
    inside_plan: bool,
}

impl JournalOutbox {
    /// Goes on behind `position`, which a cursor has kept.
    ///
    /// # Errors
    /// The plan at that position is missing, or is another than it was.
    pub fn open(
        files: JournalHandle,
        durable_sequence: Arc<DurableSequence>,
        position: FeedPosition,
    ) -> Result<Self, FeedError> {
        let oldest = files.index.oldest().unwrap_or_default();
        let durable_lsn = files.index.durable_lsn();
        let position = JournalPosition::from(position);
        let cursor_lsn = position.lsn;
        if cursor_lsn > durable_lsn {
            let problem = format!("the cursor stands at LSN {cursor_lsn}, but the journal ends at {durable_lsn}");
            return Err(FeedError::OtherHistory(problem));
        }
        if cursor_lsn.next() < oldest {
            let problem = format!("the cursor stands at LSN {cursor_lsn}, but the journal begins at {oldest}");
            return Err(FeedError::OtherHistory(problem));
        }
        let reader = JournalReader::new(files, cursor_lsn.next());
        let mut outbox = Self { reader, durable_sequence, position, source: Arc::from(""), inside_plan: false };
        // The plan at the cursor is read again where it is still there, to see that it is the one that was delivered.
        if cursor_lsn >= oldest && cursor_lsn > Lsn::ZERO {
            outbox.reader.jump_to(cursor_lsn, position.segment, position.offset)?;
            outbox.check_plan_at_cursor()?;
        }
        Ok(outbox)
    }

    /// Goes on after the event `after`, with the plan `lsn`, which holds the next one.
    pub(super) fn open_before(
        files: JournalHandle,
        durable_sequence: Arc<DurableSequence>,
        after: Sequence,
        lsn: Lsn,
    ) -> Result<Self, FeedError> {
        let mut reader = JournalReader::new(files, lsn);
        reader.seek(lsn)?;
        let before = Lsn(lsn.0.saturating_sub(1));
        let position = JournalPosition { sequence: after, lsn: before, ..JournalPosition::default() };
        Ok(Self { reader, durable_sequence, position, source: Arc::from(""), inside_plan: true })
    }

    /// The position before the first event that the journal still holds.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn beginning(files: JournalHandle, last_sequence: Sequence) -> Result<FeedPosition, FeedError> {
        let oldest = files.index.oldest().unwrap_or_default();
        let mut reader = JournalReader::new(files, oldest);
        let before = Lsn(oldest.0.saturating_sub(1));
        let sequence = match reader.next_frame()? {
            None => last_sequence,
            Some(frame) => {
                let plan = PlanRecord::decode(frame.body).map_err(|error| feed_error(frame.lsn, &error))?;
                Sequence(plan.first_sequence.0.saturating_sub(1))
            }
        };
        Ok(JournalPosition { sequence, lsn: before, ..JournalPosition::default() }.into())
    }

    /// The position behind everything that is durable now.
    #[must_use]
    pub fn end(files: &JournalHandle, last_sequence: Sequence) -> FeedPosition {
        let lsn = files.index.durable_lsn();
        JournalPosition { sequence: last_sequence, lsn, ..JournalPosition::default() }.into()
    }

    fn check_plan_at_cursor(&mut self) -> Result<(), FeedError> {
        let expected = self.position;
        let Some(frame) = self.reader.next_frame()? else {
            return Err(FeedError::Damaged(format!("LSN {} cannot be read", expected.lsn)));
        };
        let same = expected.body_crc == 0 || frame.body_crc == expected.body_crc;
        let plan = PlanRecord::decode(frame.body).map_err(|error| feed_error(frame.lsn, &error))?;
        let entries = plan.events_count();
        // A cursor stands behind whole plans.
        if same && plan.first_sequence.plus(entries) == expected.sequence.next() {
            return Ok(());
        }
        let (lsn, sequence) = (expected.lsn, expected.sequence);
        let problem = format!("the cursor says that LSN {lsn} holds event {sequence}; the journal does not");
        Err(FeedError::OtherHistory(problem))
    }
}

pub(super) fn feed_error(lsn: Lsn, error: &PlanRecordError) -> FeedError {
    FeedError::Damaged(format!("LSN {lsn}: {error}"))
}

/// The events of a stored plan, numbered.
pub fn published(plan: PlanRecord<'_>, source: &Arc<str>) -> impl Iterator<Item = PublishedEvent> {
    let PlanRecord { first_sequence, epoch, mutations, .. } = plan;
    let entries = mutations.into_iter().filter_map(|mutation| match mutation {
        Mutation::InsertOutbox(entry) => Some(entry),
        Mutation::InsertOrder(_) | Mutation::UpdateOrder(_) | Mutation::InsertCommand(_) | Mutation::Decide(_) => None,
    });
    (first_sequence.0..).map(Sequence).zip(entries).map(move |(sequence, entry)| {
        let source = Arc::clone(source);
        PublishedEvent { sequence, entry, source, epoch }
    })
}

impl EventFeed for JournalOutbox {
    fn read(&mut self, events_max: usize, batch: &mut Vec<PublishedEvent>) -> Result<(), FeedError> {
        let full = batch.len().saturating_add(events_max);
        while batch.len() < full {
            let Some(frame) = self.reader.next_frame()? else { break };
            let plan = PlanRecord::decode(frame.body).map_err(|error| feed_error(frame.lsn, &error))?;
            if plan.source != &*self.source {
                self.source = Arc::from(plan.source);
            }
            let (lsn, body_crc, segment, offset) = (frame.lsn, frame.body_crc, frame.segment, frame.offset);
            if plan.events_count() == 0 && !self.inside_plan {
                // Passed over: what goes on from here needs nothing of it, nor of what is before it.
                self.position = JournalPosition { lsn, segment, offset, body_crc, ..self.position };
                continue;
            }
            // A plan is read whole: its events lie in one batch.
            for event in published(plan, &self.source) {
                let sequence = event.sequence;
                if self.inside_plan && sequence <= self.position.sequence {
                    continue;
                }
                self.inside_plan = false;
                if sequence != self.position.sequence.next() {
                    let expected = self.position.sequence.next();
                    let problem = format!("LSN {lsn} holds event {sequence} where {expected} was due");
                    return Err(FeedError::Damaged(problem));
                }
                self.position = JournalPosition { sequence, epoch: event.epoch, lsn, segment, offset, body_crc };
                batch.push(event);
            }
        }
        Ok(())
    }

    fn position(&self) -> FeedPosition {
        self.position.into()
    }

    fn durable_sequence(&self) -> Sequence {
        // The writer publishes the durable LSN first and this number a moment later: what was read in between is
        // durable all the same.
        self.durable_sequence.get().max(self.position.sequence)
    }
}
