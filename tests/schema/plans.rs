//! Orders and events as SQL, for the tests of SCHEMA.sql.

use serde_json::{Value, json};

use super::session::Session;

/// A writer that has no row.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
pub const CUSTOMER: &str = "00000000-0000-4000-8000-00000000c0de";

/// A step of an order's life: what the event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Placed,
    Completed,
    CancelledFromPlaced,
    CancelledFromCompleted,
}

impl Step {
    pub fn version(self) -> u32 {
        match self {
            Step::Placed => 1,
            Step::Completed | Step::CancelledFromPlaced => 2,
            Step::CancelledFromCompleted => 3,
        }
    }

    pub fn event_type(self) -> &'static str {
        match self {
            Step::Placed => "OrderPlaced",
            Step::Completed => "OrderCompleted",
            Step::CancelledFromPlaced | Step::CancelledFromCompleted => "OrderCancelled",
        }
    }

    /// The status that it leads to.
    pub fn status(self) -> &'static str {
        match self {
            Step::Placed => "placed",
            Step::Completed => "completed",
            Step::CancelledFromPlaced | Step::CancelledFromCompleted => "cancelled",
        }
    }

    /// When it happens to every order of these tests: one second per step.
    pub fn time(self) -> String {
        format!("2026-01-01T00:00:0{}.000001Z", self.version())
    }

    pub fn data(self, order: u32) -> Value {
        let mut data = json!({"order_id": order_id(order), "customer_id": CUSTOMER, "total_amount": 1999});
        let more = match self {
            Step::Placed => json!({"placed_at": self.time()}),
            Step::Completed => json!({"completed_at": self.time()}),
            Step::CancelledFromPlaced => {
                json!({"cancelled_at": self.time(), "cancelled_from": "placed", "reason": null})
            }
            Step::CancelledFromCompleted => {
                json!({"cancelled_at": self.time(), "cancelled_from": "completed", "reason": "it's broken"})
            }
        };
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    }
}

pub fn order_id(order: u32) -> String {
    format!("00000000-0000-7000-8000-{order:012}")
}

/// Derived from order and version, as the real ones are.
pub fn event_id(order: u32, version: u32) -> String {
    format!("{version:08}-0000-5000-8000-{order:012}")
}

/// `@place_orders` for these orders.
pub fn place_orders(orders: &[u32]) -> String {
    let ids = array(orders.iter().map(|order| order_id(*order)));
    let customers = array(orders.iter().map(|_| CUSTOMER.to_owned()));
    let amounts = array(orders.iter().map(|_| "1999".to_owned()));
    let times = array(orders.iter().map(|_| Step::Placed.time()));
    let all = |value: &str| array(orders.iter().map(|_| value.to_owned()));
    let (statuses, versions, nulls) = (all("placed"), all("1"), all("NULL"));
    format!(
        "EXECUTE place_orders('{ids}', '{customers}', '{amounts}', '{statuses}', '{versions}', '{times}', '{nulls}', \
         '{nulls}')"
    )
}

/// `@change_orders` for one order, from the version before this step.
pub fn change_order(order: u32, step: Step) -> String {
    let (completed_at, cancelled_at) = match step {
        Step::Completed => (step.time(), "NULL".to_owned()),
        Step::CancelledFromPlaced => ("NULL".to_owned(), step.time()),
        Step::CancelledFromCompleted => (Step::Completed.time(), step.time()),
        Step::Placed => panic!("an order is placed by @place_orders"),
    };
    format!(
        "EXECUTE change_orders('{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{completed_at}}}', '{{{cancelled_at}}}')",
        order_id(order),
        step.version() - 1,
        step.version(),
        step.status()
    )
}

/// `@store_plans` for these events, one plan each.
pub fn store_events(steps: &[(u32, Step)]) -> String {
    let plans = array((1..=steps.len()).map(|plan| plan.to_string()));
    let ids = array(steps.iter().map(|(order, step)| event_id(*order, step.version())));
    let orders = array(steps.iter().map(|(order, _)| order_id(*order)));
    let versions = array(steps.iter().map(|(_, step)| step.version().to_string()));
    let types = array(steps.iter().map(|(_, step)| step.event_type().to_owned()));
    let data: Vec<_> = steps.iter().map(|(order, step)| quoted(&step.data(*order).to_string())).collect();
    let nulls = array(steps.iter().map(|_| "NULL".to_owned()));
    let placed = steps.iter().filter(|(_, step)| *step == Step::Placed).count();
    format!(
        "EXECUTE store_plans('{NOBODY}', 1, {}, {placed}, '{plans}', '{ids}', '{orders}', '{versions}', '{types}', \
         '/orderd', ARRAY[{}]::text[], '{nulls}', '{nulls}')",
        steps.len(),
        data.join(", ")
    )
}

/// `@store_plans` for one event of which everything may be wrong.
pub fn store_event_as(event_id: &str, order: u32, version: u32, event_type: &str, data: &Value) -> String {
    format!(
        "EXECUTE store_plans('{NOBODY}', 1, 1, 0, '{{1}}', '{{{event_id}}}', '{{{}}}', '{{{version}}}', \
         '{{{event_type}}}', '/orderd', ARRAY[{}]::text[], '{{NULL}}', '{{NULL}}')",
        order_id(order),
        quoted(&data.to_string())
    )
}

/// Commits one plan as SCHEMA.sql prescribes: the order's change and its event. Its sequence.
#[track_caller]
pub fn commit(session: &mut Session, order: u32, step: Step) -> u64 {
    session.rows("BEGIN");
    session.rows(&format!("EXECUTE lock_orders('{{{}}}')", order_id(order)));
    let change = if step == Step::Placed { place_orders(&[order]) } else { change_order(order, step) };
    session.rows(&change);
    let stored = session.rows(&store_events(&[(order, step)]));
    session.rows("COMMIT");
    first_sequence(&stored)
}

/// Commits the placing of these orders.
#[track_caller]
pub fn place(session: &mut Session, orders: std::ops::RangeInclusive<u32>) {
    for order in orders {
        commit(session, order, Step::Placed);
    }
}

/// The first sequence that `@store_plans` gave.
#[track_caller]
pub fn first_sequence(head: &[Vec<String>]) -> u64 {
    head[0][1].parse::<u64>().expect("a sequence") + 1
}

/// The first column as numbers.
#[track_caller]
pub fn sequences(rows: &[Vec<String>]) -> Vec<u64> {
    rows.iter().map(|row| row[0].parse().expect("a sequence")).collect()
}

/// An array literal, without its quotes.
pub fn array(items: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

/// A string literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
