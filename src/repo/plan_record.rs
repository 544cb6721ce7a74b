//! The stored form of a plan: the body of a journal frame.
//!
//! It is postcard (<https://postcard.jamesmunns.com/wire-format>) of the fields below in their order, and of the enums
//! of `contracts::repository` and `domain::events` in the order of their variants. Nothing of that may be reordered
//! or removed: `a_stored_plan_keeps_its_bytes` holds it.

use serde::{Deserialize, Serialize};

use crate::contracts::{Mutation, Plan, Sequence};
use crate::domain::OrderId;

/// A plan as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlanRecord<'a> {
    /// The number of its first outbox entry; the others follow without a gap.
    pub first_sequence: Sequence,
    /// `daemon.event_source` when it was stored: a redelivered event keeps the source it was first delivered with.
    pub source: &'a str,
    /// All its mutations.
    pub mutations: Vec<Mutation>,
}

#[derive(Serialize)]
struct Stored<'a> {
    first_sequence: Sequence,
    source: &'a str,
    mutations: &'a [Mutation],
}

/// Writes the stored form of `plan` into `body`, in place of what is there.
pub(super) fn encode(plan: &Plan, first_sequence: Sequence, source: &str, body: &mut Vec<u8>) {
    body.clear();
    let stored = Stored { first_sequence, source, mutations: plan.mutations() };
    // Into a vector nothing can fail: there is always room, and none of the types refuses.
    let written = postcard::to_extend(&stored, std::mem::take(body));
    debug_assert!(written.is_ok());
    *body = written.unwrap_or_default();
}

impl<'a> PlanRecord<'a> {
    /// Reads a frame's body.
    ///
    /// # Errors
    /// It is not the stored form of a plan.
    pub fn decode(body: &'a [u8]) -> Result<Self, String> {
        match postcard::take_from_bytes(body) {
            Ok((plan, [])) => Ok(plan),
            Ok((_, rest)) => Err(format!("{} bytes follow the plan", rest.len())),
            Err(error) => Err(format!("it is not a plan: {error}")),
        }
    }

    /// The order that it changes.
    pub(super) fn order_id(&self) -> Option<OrderId> {
        self.mutations.iter().find_map(|mutation| match mutation {
            Mutation::InsertOrder(state) => Some(state.order_id),
            Mutation::UpdateOrder(update) => Some(update.order_id),
            Mutation::InsertOutbox(_) | Mutation::InsertCommand(_) => None,
        })
    }

    /// The stored form of what was read.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn encode_again(&self) -> Vec<u8> {
        let stored = Stored { first_sequence: self.first_sequence, source: self.source, mutations: &self.mutations };
        postcard::to_extend(&stored, Vec::new()).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "plan_record_test.rs"]
mod tests;
