//! Reads and refusals: none rests on state that is absent later, none is older than what was answered before.

use std::collections::BTreeMap;

use super::attribution::Authors;
use super::journal::{Entry, Journal};
use super::record::{Call, History, Moment, Order, Outcome, Refusal, Request};
use super::verdict::{Findings, Verdict};

pub(super) fn check(history: &History, journal: &Journal<'_>, authors: &Authors, found: &mut Findings) {
    let reader = Reader { orders: journal.by_order(), known: Known::collect(&history.calls), authors };
    let effects = effects(&history.calls);
    for call in &history.calls {
        match &call.outcome {
            Outcome::Read { at, order } => reader.check_read(call, order, *at, found),
            Outcome::Refused { at, refusal } => match refusal {
                Refusal::OrderNotFound => reader.check_absent(call, found),
                Refusal::OrderExists => reader.check_reason(call, &["placed"], *at, found),
                Refusal::InvalidTransition => match call.request {
                    Request::Complete { .. } => {
                        reader.check_reason(call, &["completed", "cancelled"], *at, found);
                    }
                    _ => reader.check_reason(call, &["cancelled"], *at, found),
                },
                Refusal::CommandIdConflict => check_conflict(call, &effects, found),
                Refusal::TurnedAway => {}
            },
            Outcome::Done { .. } | Outcome::Unknown => {}
        }
    }
}

struct Reader<'h, 'j> {
    orders: BTreeMap<&'h str, Vec<&'j Entry<'h>>>,
    known: Known<'h>,
    authors: &'j Authors,
}

impl Reader<'_, '_> {
    /// What was read is what the journal had at that version, no sooner than it can have been there.
    fn check_read(&self, call: &Call, order: &Order, at: Moment, found: &mut Findings) {
        if call.request.order_id() != Some(&order.order_id) {
            found.add(Verdict::Changed, format!("{:?} was answered with {order:?}", call.request));
        }
        let plans = self.orders.get(order.order_id.as_str());
        let same_version =
            |entry: &&&Entry<'_>| entry.plan.order.as_ref().is_some_and(|held| held.version == order.version);
        match plans.into_iter().flatten().find(same_version) {
            None => found.add(Verdict::Phantom, format!("{order:?} was read, no journal has that version")),
            Some(entry) if entry.plan.order.as_ref() != Some(order) => {
                found.add(Verdict::Changed, format!("{order:?} was read, the journal has {:?}", entry.plan.order))
            }
            Some(entry) if self.authors.earliest(entry.plan.lsn) > Some(at) => {
                found.add(Verdict::Phantom, format!("{order:?} was read before anybody asked for it"))
            }
            Some(_) => {}
        }
        let told = self.known.version_before(&order.order_id, call.invoked);
        if told > order.version {
            found.add(Verdict::Stale, format!("{order:?} was read after version {told} had been answered"));
        }
    }

    /// An order that was answered once is found ever after.
    fn check_absent(&self, call: &Call, found: &mut Findings) {
        let Some(order_id) = call.request.order_id() else {
            found.add(Verdict::Phantom, format!("{:?} was answered as not found", call.request));
            return;
        };
        if self.known.version_before(order_id, call.invoked) > 0 {
            found.add(Verdict::Lost, format!("order {order_id} was answered, then not found by {:?}", call.request));
        }
    }

    /// The refusal's reason is in the journal: the order reached one of `statuses`, no later than the refusal.
    fn check_reason(&self, call: &Call, statuses: &[&str], at: Moment, found: &mut Findings) {
        let order_id = call.request.order_id().unwrap_or_default();
        let plans = self.orders.get(order_id);
        let holds = plans.into_iter().flatten().any(|entry| {
            let reached = |order: &Order| statuses.contains(&order.status.as_str());
            let in_time = self.authors.earliest(entry.plan.lsn).is_none_or(|moment| moment < at);
            entry.plan.order.as_ref().is_some_and(reached) && in_time
        });
        if !holds {
            found.add(
                Verdict::Phantom,
                format!("{:?} was refused for a state ({statuses:?}) that is nowhere", call.request),
            );
        }
    }
}

/// The highest version of each order that had been answered at any moment.
struct Known<'h> {
    by_order: BTreeMap<&'h str, BTreeMap<Moment, u64>>,
}

impl<'h> Known<'h> {
    fn collect(calls: &'h [Call]) -> Known<'h> {
        let mut by_order: BTreeMap<&str, BTreeMap<Moment, u64>> = BTreeMap::new();
        for call in calls {
            if let Outcome::Done { at, order, .. } | Outcome::Read { at, order } = &call.outcome {
                by_order.entry(&order.order_id).or_default().insert(*at, order.version);
            }
        }
        for versions in by_order.values_mut() {
            let mut highest = 0;
            for version in versions.values_mut() {
                highest = highest.max(*version);
                *version = highest;
            }
        }
        Known { by_order }
    }

    fn version_before(&self, order_id: &str, moment: Moment) -> u64 {
        let versions = self.by_order.get(order_id);
        versions.and_then(|versions| versions.range(..moment).next_back()).map_or(0, |(_, version)| *version)
    }
}

/// The commands by id that had, or may have had, an effect.
fn effects(calls: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut effects: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let (Some(id), Outcome::Done { .. } | Outcome::Unknown) = (&call.command_id, &call.outcome) {
            effects.entry(id).or_default().push(call);
        }
    }
    effects
}

/// A conflict needs another command with the same id.
fn check_conflict(call: &Call, effects: &BTreeMap<&str, Vec<&Call>>, found: &mut Findings) {
    let id = call.command_id.as_deref().unwrap_or_default();
    let others = effects.get(id);
    if !others.into_iter().flatten().any(|other| other.request != call.request) {
        found.add(Verdict::Phantom, format!("{:?} conflicts with a command {id} that nobody sent", call.request));
    }
}
