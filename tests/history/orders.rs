//! The plans by themselves: each whole, each order's versions one step apart, no step that no order may take.

use serde_json::{Value, json};

use super::journal::{Entry, Journal};
use super::parse::Event;
use super::record::Order;
use super::verdict::{Findings, Verdict};

pub(super) fn check(journal: &Journal<'_>, found: &mut Findings) {
    for entry in journal.plans.values() {
        check_whole(entry, found);
    }
    for (order_id, entries) in journal.by_order() {
        let mut before: Option<&Order> = None;
        for entry in entries {
            let Some(after) = &entry.plan.order else {
                continue;
            };
            check_step(order_id, entry.plan.lsn, before, after, found);
            before = Some(after);
        }
    }
}

/// One change of one order and its one event, which tell the same.
fn check_whole(entry: &Entry<'_>, found: &mut Findings) {
    let lsn = entry.plan.lsn;
    let Some(order) = &entry.plan.order else {
        found.add(Verdict::Torn, format!("LSN {lsn} has no order"));
        return;
    };
    match entry.plan.events.len() {
        0 => found.add(Verdict::Torn, format!("LSN {lsn} changed an order without an event")),
        1 => {}
        count => found.add(Verdict::Duplicate, format!("LSN {lsn} raised {count} events for one change")),
    }
    for (event, text) in &entry.events {
        if let Some(why) = mismatch(event, order) {
            found.add(Verdict::Changed, format!("LSN {lsn}: the event's {why} is not the order's: {text}"));
        }
    }
}

/// The first part of the event that tells something else than the order.
fn mismatch(event: &Event, order: &Order) -> Option<&'static str> {
    let (kind, time) = match order.status.as_str() {
        "placed" => ("OrderPlaced", Some(&order.placed_at)),
        "completed" => ("OrderCompleted", order.completed_at.as_ref()),
        "cancelled" => ("OrderCancelled", order.cancelled_at.as_ref()),
        _ => return Some("status"),
    };
    let cancelled = order.status == "cancelled";
    let from = match order.completed_at {
        Some(_) => "completed",
        None => "placed",
    };
    let mut data = json!({
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "total_amount": order.total_amount,
        format!("{}_at", order.status): time,
    });
    if cancelled {
        data["cancelled_from"] = from.into();
        // Only the command knows the reason: the answers' side holds the two together.
        data["reason"] = event.data["reason"].clone();
    }
    let reason_fits = matches!(event.data.get("reason"), Some(Value::Null | Value::String(_))) == cancelled;
    let checks = [
        ("specversion", event.specversion == "1.0"),
        ("datacontenttype", event.datacontenttype == "application/json"),
        ("type", event.kind == kind),
        ("subject", event.subject == order.order_id),
        ("partitionkey", event.partitionkey == order.order_id),
        ("time", Some(&event.time) == time),
        ("orderversion", event.orderversion == order.version),
        ("reason", reason_fits),
        ("data", event.data == data),
        ("id", event.id.len() == 36),
        ("source", !event.source.is_empty()),
    ];
    checks.iter().find(|(_, holds)| !holds).map(|(part, _)| *part)
}

fn check_step(order_id: &str, lsn: u64, before: Option<&Order>, after: &Order, found: &mut Findings) {
    let at = format!("order {order_id} in LSN {lsn}");
    let version = before.map_or(0, |order| order.version);
    if after.version > version + 1 {
        found.add(Verdict::Lost, format!("{at}: version {} follows {version}", after.version));
    } else if after.version == version {
        found.add(Verdict::Duplicate, format!("{at}: version {version} a second time"));
    } else if after.version < version {
        found.add(Verdict::Reordered, format!("{at}: version {} follows {version}", after.version));
    }
    let status = before.map_or("", |order| order.status.as_str());
    let legal = matches!(
        (status, after.status.as_str()),
        ("", "placed") | ("placed", "completed" | "cancelled") | ("completed", "cancelled")
    );
    if !legal {
        found.add(Verdict::Illegal, format!("{at}: from {status:?} to {:?}", after.status));
    }
    if let Some(before) = before {
        check_kept(&at, before, after, found);
    }
    check_times(&at, after, found);
}

/// What a change may not touch: all but the status and its own time.
fn check_kept(at: &str, before: &Order, after: &Order, found: &mut Findings) {
    let kept = before.customer_id == after.customer_id
        && before.total_amount == after.total_amount
        && before.placed_at == after.placed_at
        && (before.completed_at.is_none() || before.completed_at == after.completed_at);
    if !kept {
        found.add(Verdict::Changed, format!("{at}: {before:?} became {after:?}"));
    }
}

/// The times that the status calls for, never running backwards. Their text sorts as they do.
fn check_times(at: &str, order: &Order, found: &mut Findings) {
    let present = match order.status.as_str() {
        "placed" => order.completed_at.is_none() && order.cancelled_at.is_none(),
        "completed" => order.completed_at.is_some() && order.cancelled_at.is_none(),
        _ => order.cancelled_at.is_some(),
    };
    if !present {
        found.add(Verdict::Illegal, format!("{at}: the times do not fit the status: {order:?}"));
    }
    let times = [Some(&order.placed_at), order.completed_at.as_ref(), order.cancelled_at.as_ref()];
    let times: Vec<&String> = times.into_iter().flatten().collect();
    if !times.is_sorted() {
        found.add(Verdict::Reordered, format!("{at}: times run backwards: {order:?}"));
    }
}
