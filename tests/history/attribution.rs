//! Which command caused which plan: every plan has one, and a command that was refused has none.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::{Entry, Journal};
use super::record::{Call, History, Moment, Outcome, Refusal, Request};
use super::verdict::{Findings, Verdict};

/// When each plan can have come into being at the earliest: when its command was first sent.
pub(super) struct Authors {
    earliest: BTreeMap<u64, Moment>,
}

impl Authors {
    pub(super) fn find(history: &History, journal: &Journal<'_>, found: &mut Findings) -> Authors {
        let suspects = Suspects::collect(history);
        let mut earliest = BTreeMap::new();
        let mut taken = BTreeMap::new();
        for (&lsn, entry) in &journal.plans {
            let authors = suspects.authors(entry, history);
            match authors.iter().map(|call| call.invoked).min() {
                Some(moment) => {
                    earliest.insert(lsn, moment);
                }
                None => found.add(Verdict::Phantom, format!("no command can have caused LSN {lsn}: {:?}", entry.plan)),
            }
            check_one_command(lsn, &authors, found);
            check_one_effect(lsn, &authors, &mut taken, found);
        }
        Authors { earliest }
    }

    pub(super) fn earliest(&self, lsn: u64) -> Option<Moment> {
        self.earliest.get(&lsn).copied()
    }
}

/// Two commands that were both given the plan.
fn check_one_command(lsn: u64, authors: &[&Call], found: &mut Findings) {
    let answered = authors.iter().filter(|call| matches!(call.outcome, Outcome::Done { .. }));
    let mut commands = BTreeSet::new();
    let mut anonymous = 0;
    for call in answered {
        match &call.command_id {
            Some(id) => {
                commands.insert(id);
            }
            None => anonymous += 1,
        }
    }
    if commands.len() + anonymous > 1 {
        found.add(Verdict::Duplicate, format!("LSN {lsn} was answered to {} commands", commands.len() + anonymous));
    }
}

/// One command whose answer nobody heard, and two plans that only it can have caused.
fn check_one_effect<'h>(lsn: u64, authors: &[&'h Call], taken: &mut BTreeMap<&'h str, u64>, found: &mut Findings) {
    let ids: BTreeSet<Option<&str>> = authors.iter().map(|call| call.command_id.as_deref()).collect();
    let Some(Some(id)) = ids.first().filter(|_| ids.len() == 1) else {
        return;
    };
    if let Some(other) = taken.insert(id, lsn) {
        found.add(Verdict::Duplicate, format!("command {id} had two effects, LSN {other} and LSN {lsn}"));
    }
}

/// The calls by what they can have caused.
struct Suspects<'h> {
    /// By the order that they name; a place without an id by its customer.
    by_name: BTreeMap<&'h str, Vec<&'h Call>>,
    /// When a command id was refused for good, and so had had no effect until then.
    refused: BTreeMap<&'h str, Vec<&'h Call>>,
    /// The LSNs that each command id was answered with.
    answered: BTreeMap<&'h str, BTreeSet<u64>>,
}

impl<'h> Suspects<'h> {
    fn collect(history: &'h History) -> Suspects<'h> {
        let mut suspects = Suspects { by_name: BTreeMap::new(), refused: BTreeMap::new(), answered: BTreeMap::new() };
        for call in &history.calls {
            let name = match &call.request {
                Request::Place { order_id: None, customer_id, .. } => Some(customer_id.as_str()),
                request => request.order_id(),
            };
            suspects.by_name.entry(name.unwrap_or_default()).or_default().push(call);
            if let (Some(id), Outcome::Refused { refusal, .. }) = (&call.command_id, &call.outcome)
                && *refusal != Refusal::TurnedAway
            {
                suspects.refused.entry(id).or_default().push(call);
            }
            if let (Some(id), Outcome::Done { lsn, .. }) = (&call.command_id, &call.outcome) {
                suspects.answered.entry(id).or_default().insert(*lsn);
            }
        }
        suspects
    }

    /// The calls that can have caused the plan.
    fn authors(&self, entry: &Entry<'_>, history: &History) -> Vec<&'h Call> {
        let Some(order) = &entry.plan.order else {
            return Vec::new();
        };
        let names = [order.order_id.as_str(), order.customer_id.as_str()];
        names
            .iter()
            .filter_map(|name| self.by_name.get(name))
            .flatten()
            .filter(|call| asks_for(call, entry))
            .filter(|call| match &call.outcome {
                Outcome::Done { lsn, .. } => *lsn == entry.plan.lsn,
                Outcome::Unknown => !self.cleared(call, entry.plan.lsn, history),
                Outcome::Read { .. } | Outcome::Refused { .. } => false,
            })
            .copied()
            .collect()
    }

    /// An unanswered call is cleared when its command was answered with another plan, or was sent again in a later
    /// life and refused: had it had an effect, the answer would have been that effect's.
    fn cleared(&self, call: &Call, lsn: u64, history: &History) -> bool {
        let Some(id) = call.command_id.as_deref() else {
            return false;
        };
        let answered = self.answered.get(id);
        if answered.is_some_and(|lsns| !lsns.contains(&lsn)) {
            return true;
        }
        let refused = self.refused.get(id);
        refused.into_iter().flatten().any(|again| {
            let between = |death: &Moment| call.invoked < *death && *death < again.invoked;
            again.request == call.request && history.deaths.iter().any(between)
        })
    }
}

/// Whether the call asks for what the plan did.
fn asks_for(call: &Call, entry: &Entry<'_>) -> bool {
    let Some(order) = &entry.plan.order else {
        return false;
    };
    match &call.request {
        Request::Place { order_id, customer_id, total_amount } => {
            order.status == "placed"
                && order_id.as_ref().is_none_or(|id| *id == order.order_id)
                && *customer_id == order.customer_id
                && *total_amount == order.total_amount
        }
        Request::Complete { order_id } => order.status == "completed" && *order_id == order.order_id,
        Request::Cancel { order_id, reason } => {
            let told = entry.events.first().and_then(|(event, _)| event.data["reason"].as_str());
            order.status == "cancelled" && *order_id == order.order_id && told == reason.as_deref()
        }
        Request::Get { .. } => false,
    }
}
