//! Results against the journal, and one command id against all that was sent with it.

use std::collections::BTreeMap;

use super::journal::Journal;
use super::record::{Call, History, Order, Outcome, Refusal, Request};
use super::verdict::{Findings, Verdict};

pub(super) fn check(history: &History, journal: &Journal<'_>, found: &mut Findings) {
    for call in &history.calls {
        if let Outcome::Done { order, lsn, .. } = &call.outcome {
            check_result(call, order, *lsn, journal, found);
        }
    }
    let mut commands: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        match &call.command_id {
            Some(id) => commands.entry(id).or_default().push(call),
            None => check_anonymous(call, found),
        }
    }
    for (id, mut calls) in commands {
        calls.sort_by_key(|call| call.invoked);
        check_command(id, &calls, found);
    }
}

/// A result is what the journal holds, and what was asked for.
fn check_result(call: &Call, order: &Order, lsn: u64, journal: &Journal<'_>, found: &mut Findings) {
    let told = || format!("LSN {lsn} was answered to {:?}", call.request);
    match journal.plans.get(&lsn) {
        None => found.add(Verdict::Lost, format!("{}, and is nowhere", told())),
        Some(entry) if entry.plan.order.as_ref() != Some(order) => {
            found.add(Verdict::Changed, format!("{} with {order:?}, the journal has {:?}", told(), entry.plan.order))
        }
        Some(_) => {}
    }
    if !fits(&call.request, order) {
        found.add(Verdict::Changed, format!("{} with {order:?}, which is not what it asked for", told()));
    }
}

/// Whether `order` is what `request` makes.
fn fits(request: &Request, order: &Order) -> bool {
    match request {
        Request::Place { order_id, customer_id, total_amount } => {
            order_id.as_ref().is_none_or(|id| *id == order.order_id)
                && *customer_id == order.customer_id
                && *total_amount == order.total_amount
                && order.status == "placed"
        }
        Request::Complete { order_id } => *order_id == order.order_id && order.status == "completed",
        Request::Cancel { order_id, .. } => *order_id == order.order_id && order.status == "cancelled",
        Request::Get { .. } => false,
    }
}

/// A command without an id is never taken for another.
fn check_anonymous(call: &Call, found: &mut Findings) {
    if let Outcome::Done { lsn, duplicate: true, .. } = call.outcome {
        found.add(
            Verdict::Phantom,
            format!("{:?} had no command id and was called a duplicate of LSN {lsn}", call.request),
        );
    }
}

/// All that was sent with one command id, in the order it was sent: one answer, one effect.
fn check_command(id: &str, calls: &[&Call], found: &mut Findings) {
    let mut first: Option<(&Call, u64)> = None;
    let mut executed: Option<u64> = None;
    for (number, call) in calls.iter().enumerate() {
        let Outcome::Done { lsn, duplicate, .. } = call.outcome else {
            continue;
        };
        match first {
            Some((_, other)) if other != lsn => {
                found.add(Verdict::Duplicate, format!("command {id} was answered with LSN {other} and with LSN {lsn}"))
            }
            Some((other, _)) if other.request != call.request => found
                .add(Verdict::Duplicate, format!("command {id} answered {:?} and {:?}", other.request, call.request)),
            Some(_) => {}
            None => first = Some((call, lsn)),
        }
        let sent_before = calls[..number].iter().any(|other| other.request == call.request);
        if duplicate && !sent_before {
            found.add(Verdict::Phantom, format!("command {id} was called a duplicate when it was sent first"));
        }
        if !duplicate && let Some(other) = executed.replace(lsn) {
            found.add(Verdict::Duplicate, format!("command {id} was executed twice: LSN {other} and LSN {lsn}"));
        }
    }
    check_remembered(id, calls, found);
}

/// After the first answer every later one is that answer again.
fn check_remembered(id: &str, calls: &[&Call], found: &mut Findings) {
    let answered = |call: &&&Call| matches!(call.outcome, Outcome::Done { .. });
    let Some(first) = calls.iter().filter(answered).min_by_key(|call| call.returned()) else {
        return;
    };
    let later = calls.iter().filter(|call| Some(call.invoked) > first.returned() && call.request == first.request);
    for call in later {
        match call.outcome {
            Outcome::Done { duplicate: true, .. } | Outcome::Unknown => {}
            Outcome::Refused { refusal: Refusal::TurnedAway, .. } => {}
            // Executed again: reported with the other results.
            Outcome::Done { duplicate: false, .. } => {}
            Outcome::Refused { refusal, .. } => found
                .add(Verdict::Lost, format!("command {id} was answered, and refused ({refusal:?}) when sent again")),
            Outcome::Read { .. } => {
                found.add(Verdict::Changed, format!("command {id} was answered as if it were a read"))
            }
        }
    }
}
