//! The stored form of a plan: the body of a journal frame.
//!
//! ```text
//! version u8 (2), then postcard of:
//!   first_sequence u64   the number of its first outbox entry; the others follow without a gap
//!   source str           `daemon.event_source`: a redelivered event keeps the source it was first delivered with
//!   epoch u32            the store's epoch
//!   previous_lsn u64     the plan before this one that changed the same order; 0 for an order's first, and for decisions
//!   before               when that order was placed and completed, before this plan; none for an order's first
//!   mutations            a sequence of `StoredMutation`
//! ```
//!
//! With `before` and its events a plan says what its order is after it: whoever reads the journal needs no other plan.
//!
//! A frame whose checksums are right and whose version is unknown was written by a newer orderd.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::order::StoredTimes;
use super::{OrderTimes, OutOfRange, StoredDecision, StoredEntry, StoredOrder, StoredUpdate};
use crate::contracts::{
    Decision, Fingerprint, Lsn, Mutation, OrderUpdate, OutboxEntry, Plan, ProcessedCommand, Sequence,
};
use crate::domain::{CommandId, OrderEvent, OrderId, OrderState, OrderStatus};

const BODY_VERSION: u8 = 2;

/// A plan as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRecord<'a> {
    /// The number of its first outbox entry; the others follow without a gap.
    pub first_sequence: Sequence,
    /// `daemon.event_source` when it was stored.
    pub source: &'a str,
    /// The store's epoch when it was stored.
    pub epoch: u32,
    /// The plan before this one that changed the same order; zero for an order's first, and for decisions.
    pub previous_lsn: Lsn,
    /// When the order that it changes was placed and completed, before it; none for an order's first, and for decisions.
    pub before: Option<OrderTimes>,
    /// All its mutations.
    pub mutations: Vec<Mutation>,
}

/// What a plan is stored with, beside its mutations.
#[derive(Debug, Clone, Copy)]
pub(in crate::repo) struct PlanContext<'a> {
    pub first_sequence: Sequence,
    pub source: &'a str,
    pub epoch: u32,
    pub previous_lsn: Lsn,
    pub before: Option<OrderTimes>,
}

/// Why a frame's body is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanRecordError {
    /// It was written by a newer orderd.
    #[error("the plan has format version {0}, and this orderd reads version {BODY_VERSION}")]
    Version(u8),
    /// It is not the stored form of a plan.
    #[error("it is not a plan: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct StoredPlan<'a, M> {
    first_sequence: u64,
    source: &'a str,
    epoch: u32,
    previous_lsn: u64,
    before: Option<StoredTimes>,
    mutations: M,
}

#[derive(Serialize, Deserialize)]
enum StoredMutation<'a> {
    InsertOrder(StoredOrder),
    UpdateOrder(StoredUpdate),
    InsertOutbox(#[serde(borrow)] StoredEntry<'a>),
    InsertCommand { command_id: Uuid, fingerprint: Uuid },
    Decide(#[serde(borrow)] StoredDecision<'a>),
}

/// Writes each mutation from where it is.
struct Borrowed<'a>(&'a [Mutation]);

/// Reads each mutation to what it stands for.
struct Owned(Vec<Mutation>);

impl Serialize for Borrowed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(StoredMutation::from))
    }
}

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Mutations)
    }
}

struct Mutations;

impl<'de> Visitor<'de> for Mutations {
    type Value = Owned;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("mutations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Owned, A::Error> {
        // The usual plan has an order, an event and a command.
        let mut mutations = Vec::with_capacity(3);
        while let Some(stored) = sequence.next_element::<StoredMutation<'de>>()? {
            mutations.push(Mutation::try_from(stored).map_err(A::Error::custom)?);
        }
        Ok(Owned(mutations))
    }
}

impl<'a> From<&'a Mutation> for StoredMutation<'a> {
    fn from(mutation: &'a Mutation) -> Self {
        match mutation {
            Mutation::InsertOrder(state) => Self::InsertOrder(state.into()),
            Mutation::UpdateOrder(update) => Self::UpdateOrder(update.into()),
            Mutation::InsertOutbox(entry) => Self::InsertOutbox(entry.into()),
            Mutation::InsertCommand(command) => {
                Self::InsertCommand { command_id: command.command_id.uuid(), fingerprint: command.fingerprint.0 }
            }
            Mutation::Decide(decision) => Self::Decide((&**decision).into()),
        }
    }
}

impl TryFrom<StoredMutation<'_>> for Mutation {
    type Error = OutOfRange;

    fn try_from(stored: StoredMutation<'_>) -> Result<Self, OutOfRange> {
        Ok(match stored {
            StoredMutation::InsertOrder(order) => Self::InsertOrder(order.try_into()?),
            StoredMutation::UpdateOrder(update) => Self::UpdateOrder(update.try_into()?),
            StoredMutation::InsertOutbox(entry) => Self::InsertOutbox(raised(entry)?),
            StoredMutation::InsertCommand { command_id, fingerprint } => Self::InsertCommand(ProcessedCommand {
                command_id: CommandId::new(command_id),
                fingerprint: Fingerprint(fingerprint),
            }),
            StoredMutation::Decide(decision) => Self::Decide(Decision::try_from(decision)?.into()),
        })
    }
}

/// An entry of the outbox, which no snapshot is.
fn raised(stored: StoredEntry<'_>) -> Result<OutboxEntry, OutOfRange> {
    let entry = OutboxEntry::try_from(stored)?;
    match entry.event {
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Cancelled(_) => Ok(entry),
        OrderEvent::Snapshot(_) => Err(OutOfRange("type of an outbox entry")),
    }
}

/// Writes the stored form of `plan` into `body`, in place of what is there.
pub(in crate::repo) fn encode(plan: &Plan, context: PlanContext<'_>, body: &mut Vec<u8>) {
    encode_mutations(plan.mutations(), context, body);
}

fn encode_mutations(mutations: &[Mutation], context: PlanContext<'_>, body: &mut Vec<u8>) {
    body.clear();
    body.push(BODY_VERSION);
    let stored = StoredPlan {
        first_sequence: context.first_sequence.0,
        source: context.source,
        epoch: context.epoch,
        previous_lsn: context.previous_lsn.0,
        before: context.before.map(StoredTimes::from),
        mutations: Borrowed(mutations),
    };
    // Into a vector nothing can fail: there is always room, and none of the types refuses.
    let written = postcard::to_extend(&stored, std::mem::take(body));
    debug_assert!(written.is_ok());
    *body = written.unwrap_or_default();
}

impl<'a> PlanRecord<'a> {
    /// Reads a frame's body.
    ///
    /// # Errors
    /// It is not the stored form of a plan, or not one that this orderd knows.
    pub fn decode(body: &'a [u8]) -> Result<Self, PlanRecordError> {
        let damaged = |problem: String| PlanRecordError::Damaged(problem);
        let (version, fields) = body.split_first().ok_or_else(|| damaged("it is empty".to_owned()))?;
        if *version != BODY_VERSION {
            return Err(PlanRecordError::Version(*version));
        }
        let (stored, rest) =
            postcard::take_from_bytes::<StoredPlan<'a, Owned>>(fields).map_err(|error| damaged(error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(format!("{} bytes follow it", rest.len())));
        }
        let before = stored.before.map(OrderTimes::try_from).transpose().map_err(|error| damaged(error.to_string()))?;
        Ok(Self {
            first_sequence: Sequence(stored.first_sequence),
            source: stored.source,
            epoch: stored.epoch,
            previous_lsn: Lsn(stored.previous_lsn),
            before,
            mutations: stored.mutations.0,
        })
    }

    /// The order that it changes.
    #[must_use]
    pub fn order_id(&self) -> Option<OrderId> {
        self.mutations.iter().find_map(Mutation::order_id)
    }

    /// The order after it, told from this plan alone; none if it changes none.
    #[must_use]
    pub fn order_after(&self) -> Option<OrderState> {
        self.mutations.iter().find_map(|mutation| match mutation {
            Mutation::InsertOrder(order) => Some(*order),
            Mutation::UpdateOrder(update) => update.applied_to(&self.order_before(update)?),
            Mutation::InsertOutbox(_) | Mutation::InsertCommand(_) | Mutation::Decide(_) => None,
        })
    }

    /// The order that an update was made from. What never changes is in the update's event, and what is cancelled is
    /// not changed any more.
    fn order_before(&self, update: &OrderUpdate) -> Option<OrderState> {
        let OrderTimes { placed_at, completed_at } = self.before?;
        let event = &self.mutations.iter().find_map(Mutation::outbox_entry)?.event;
        let status = if completed_at.is_some() { OrderStatus::Completed } else { OrderStatus::Placed };
        Some(OrderState {
            order_id: update.order_id,
            customer_id: event.customer_id(),
            total_amount: event.total_amount(),
            status,
            version: update.from_version,
            placed_at,
            completed_at,
            cancelled_at: None,
        })
    }

    /// How many events it holds.
    #[must_use]
    pub fn events_count(&self) -> u64 {
        self.mutations.iter().filter_map(Mutation::outbox_entry).count() as u64
    }

    /// The stored form of what was read.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn encode_again(&self) -> Vec<u8> {
        let Self { first_sequence, source, epoch, previous_lsn, before, .. } = *self;
        let mut body = Vec::new();
        let context = PlanContext { first_sequence, source, epoch, previous_lsn, before };
        encode_mutations(&self.mutations, context, &mut body);
        body
    }
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
