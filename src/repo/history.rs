//! What the journal still holds of the past: found by search, not by reading everything.

use std::sync::{Arc, Mutex, PoisonError};

use super::outbox::feed_error;
use super::{DurableSequence, JournalOutbox, PlanRecord, published};
use crate::contracts::{
    DecisionPage, EventFeed, EventHistory, FeedError, FeedPosition, Lsn, Mutation, OrderEvents, PublishedEvent,
    Sequence,
};
use crate::domain::{OrderId, Timestamp};
use crate::journal::{JournalHandle, JournalReader};

/// Looks into the journal. Each question opens a reader of its own.
pub struct JournalHistory {
    files: JournalHandle,
    durable_sequence: Arc<DurableSequence>,
    /// The first event of the oldest segment, with that segment: it changes only when segments are deleted.
    oldest: Mutex<Option<(Lsn, Sequence)>>,
}

/// An order has few plans; a longer chain is not one.
const CHAIN_PLANS_MAX: usize = 1000;
/// Segments may be deleted while they are searched: then the question is asked again.
const TRIES: u32 = 5;

impl JournalHistory {
    /// The history that `files` hold.
    #[must_use]
    pub const fn new(files: JournalHandle, durable_sequence: Arc<DurableSequence>) -> Self {
        Self { files, durable_sequence, oldest: Mutex::new(None) }
    }

    fn oldest_lsn(&self) -> Lsn {
        self.files.index.oldest().unwrap_or(Lsn::ZERO.next())
    }

    /// Asks again if the reason for the failure may be that segments were deleted meanwhile.
    fn retried<T>(&self, ask: impl Fn() -> Result<T, FeedError>) -> Result<T, FeedError> {
        let mut tries = 1;
        loop {
            let before = self.oldest_lsn();
            match ask() {
                Err(FeedError::Damaged(_) | FeedError::Io(_)) if self.oldest_lsn() != before && tries < TRIES => {}
                asked => return asked,
            }
            tries += 1;
        }
    }

    /// What `look` makes of the plan at `lsn`, which is durable and held.
    fn plan_at<T>(&self, lsn: Lsn, look: impl FnOnce(PlanRecord<'_>) -> T) -> Result<T, FeedError> {
        let mut reader = JournalReader::new(self.files.clone(), lsn);
        reader.seek(lsn)?;
        let frame = reader.next_frame()?.ok_or_else(|| FeedError::Damaged(format!("LSN {lsn} cannot be read")))?;
        PlanRecord::decode(frame.body).map(look).map_err(|error| feed_error(lsn, &error))
    }

    /// The number of the first event that is stored at `lsn` or later.
    fn sequence_at(&self, lsn: Lsn) -> Result<Sequence, FeedError> {
        self.plan_at(lsn, |plan| plan.first_sequence)
    }

    /// The first LSN in `low` to `high` at which `is_behind` says yes, or the one after `high`; it says yes from some LSN
    /// on, and no before.
    fn search(
        &self,
        low: Lsn,
        high: Lsn,
        mut is_behind: impl FnMut(Lsn) -> Result<bool, FeedError>,
    ) -> Result<Lsn, FeedError> {
        // First among the segments, whose beginnings are cheap to reach; then inside one.
        let bases = self.files.index.list().into_iter().map(|(base_lsn, _)| base_lsn);
        let mut bounds: Vec<Lsn> = bases.filter(|base_lsn| *base_lsn > low && *base_lsn <= high).collect();
        let (mut low, mut high) = (low, high.next());
        while let Some(middle) = bounds.get(bounds.len() / 2).copied() {
            if is_behind(middle)? {
                high = middle;
                bounds.retain(|base_lsn| *base_lsn < middle);
            } else {
                low = middle.next();
                bounds.retain(|base_lsn| *base_lsn > middle);
            }
        }
        while low < high {
            let middle = Lsn(low.0.midpoint(high.0));
            if is_behind(middle)? {
                high = middle;
            } else {
                low = middle.next();
            }
        }
        Ok(low)
    }

    /// The plan that holds event `sequence`, which is held and durable.
    fn plan_of(&self, sequence: Sequence) -> Result<Lsn, FeedError> {
        let (oldest, durable) = (self.oldest_lsn(), self.files.index.durable_lsn());
        // The first plan whose own events come after the one that is looked for follows the one that holds it.
        let after = self.search(oldest, durable, |lsn| {
            self.plan_at(lsn, |plan| plan.first_sequence.plus(plan.events_count()) > sequence)
        })?;
        Ok(after)
    }

    /// The first event at `lsn` or later.
    fn event_from(&self, lsn: Lsn) -> Result<Option<PublishedEvent>, FeedError> {
        let mut reader = JournalReader::new(self.files.clone(), lsn);
        reader.seek(lsn)?;
        while let Some(frame) = reader.next_frame()? {
            let plan = PlanRecord::decode(frame.body).map_err(|error| feed_error(frame.lsn, &error))?;
            let source = Arc::from(plan.source);
            if let Some(event) = published(plan, &source).next() {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The number of the first event whose time makes `is_behind` say yes; the one after the last if there is none.
    fn search_time(&self, is_behind: impl Fn(Timestamp) -> bool) -> Result<Sequence, FeedError> {
        let (oldest, durable) = (self.oldest_lsn(), self.files.index.durable_lsn());
        let found = self.search(oldest, durable, |lsn| {
            Ok(self.event_from(lsn)?.is_none_or(|event| is_behind(event.entry.event.occurred_at())))
        })?;
        Ok(self.event_from(found)?.map_or_else(|| self.last_sequence().next(), |event| event.sequence))
    }

    fn open_at_once(&self, after: Sequence) -> Result<JournalOutbox, FeedError> {
        let (oldest, last) = (self.oldest_sequence()?, self.last_sequence());
        if after.next() < oldest {
            return Err(FeedError::NotHeld { wanted: after.next(), oldest });
        }
        let durable_sequence = Arc::clone(&self.durable_sequence);
        if after >= last {
            let position = JournalOutbox::end(&self.files, last);
            return JournalOutbox::open(self.files.clone(), durable_sequence, position);
        }
        let lsn = self.plan_of(after.next())?;
        JournalOutbox::open_before(self.files.clone(), durable_sequence, after, lsn)
    }
}

impl EventHistory for JournalHistory {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        self.retried(|| {
            let lsn = self.oldest_lsn();
            let known = *self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, sequence)) = known.filter(|(known, _)| *known == lsn) {
                return Ok(sequence);
            }
            if self.files.index.durable_lsn() < lsn {
                return Ok(self.last_sequence().next());
            }
            let sequence = self.sequence_at(lsn)?;
            *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = Some((lsn, sequence));
            Ok(sequence)
        })
    }

    fn last_sequence(&self) -> Sequence {
        self.durable_sequence.get()
    }

    fn open_after(&self, after: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        self.retried(|| self.open_at_once(after).map(|outbox| Box::new(outbox) as Box<dyn EventFeed>))
    }

    fn open_at(&self, position: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        let outbox = JournalOutbox::open(self.files.clone(), Arc::clone(&self.durable_sequence), position)?;
        Ok(Box::new(outbox))
    }

    fn first_at_or_after(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let found = self.retried(|| self.search_time(|at| at >= time))?;
        Ok(Some(found).filter(|found| *found <= self.last_sequence()))
    }

    fn last_at_or_before(&self, time: Timestamp) -> Result<Option<Sequence>, FeedError> {
        let after = self.retried(|| self.search_time(|at| at > time))?;
        let found = Sequence(after.0.saturating_sub(1));
        Ok(Some(found).filter(|found| self.oldest_sequence().is_ok_and(|oldest| *found >= oldest)))
    }

    fn order_events(&self, _: OrderId, last_lsn: Lsn) -> Result<OrderEvents, FeedError> {
        let mut plans: Vec<Vec<PublishedEvent>> = Vec::new();
        let mut lsn = last_lsn;
        while lsn > Lsn::ZERO && lsn >= self.oldest_lsn() && plans.len() < CHAIN_PLANS_MAX {
            let read = self.plan_at(lsn, |plan| {
                let (previous, source) = (plan.previous_lsn, Arc::from(plan.source));
                (previous, published(plan, &source).collect())
            });
            let (previous, events) = match read {
                Ok(read) => read,
                Err(_) if lsn < self.oldest_lsn() => break,
                Err(error) => return Err(error),
            };
            plans.push(events);
            if previous >= lsn {
                return Err(FeedError::Damaged(format!("LSN {lsn} follows LSN {previous} of the same order")));
            }
            lsn = previous;
        }
        let complete = lsn == Lsn::ZERO && last_lsn > Lsn::ZERO;
        Ok(OrderEvents { events: plans.into_iter().rev().flatten().collect(), complete })
    }

    fn decisions(&self, after: Lsn, limit: usize, plans_max: usize) -> Result<DecisionPage, FeedError> {
        self.retried(|| {
            let first = after.next().max(self.oldest_lsn());
            let mut page = DecisionPage { looked_to: Lsn(first.0.saturating_sub(1)), ..DecisionPage::default() };
            let mut reader = JournalReader::new(self.files.clone(), first);
            reader.seek(first)?;
            for _ in 0..plans_max {
                if page.decisions.len() >= limit {
                    return Ok(page);
                }
                let Some(frame) = reader.next_frame()? else {
                    page.at_end = true;
                    return Ok(page);
                };
                let lsn = frame.lsn;
                let plan = PlanRecord::decode(frame.body).map_err(|error| feed_error(lsn, &error))?;
                let decisions = plan.mutations.iter().filter_map(Mutation::decision);
                page.decisions.extend(decisions.map(|decision| (lsn, (**decision).clone())));
                page.looked_to = lsn;
            }
            Ok(page)
        })
    }
}
