//! Orders and events as SQL, for the tests of SCHEMA.sql.

use serde_json::{Value, json};

use super::session::Session;

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

    /// When it happens to every order of these tests: a second a step.
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

/// Of version 5 by its form; the real ones come from the daemon.
pub fn event_id(order: u32, version: u32) -> String {
    format!("{version:08}-0000-5000-8000-{order:012}")
}

/// The statement that stores the event of this step.
pub fn store_event(order: u32, step: Step) -> String {
    store_event_as(&event_id(order, step.version()), order, step, &step.time(), &step.data(order))
}

pub fn store_event_as(event_id: &str, order: u32, step: Step, time: &str, data: &Value) -> String {
    let data = data.to_string().replace('\'', "''");
    format!(
        "EXECUTE store_event('{event_id}', '{}', {}, '{}', '/orderd', '{time}', '{data}')",
        order_id(order),
        step.version(),
        step.event_type()
    )
}

/// The statement that changes the order for this step; `complete_order` is SCHEMA.sql's own.
pub fn change_order(order: u32, step: Step) -> String {
    let (id, time) = (order_id(order), step.time());
    let cancel = |version: u32| {
        format!(
            "UPDATE orders SET status = 'cancelled', cancelled_at = '{time}', version = version + 1 \
             WHERE order_id = '{id}' AND version = {version}"
        )
    };
    match step {
        Step::Placed => format!("INSERT INTO orders VALUES ('{id}', '{CUSTOMER}', 1999, 'placed', 1, '{time}')"),
        Step::Completed => format!("EXECUTE complete_order('{id}', 1, '{time}')"),
        Step::CancelledFromPlaced => cancel(1),
        Step::CancelledFromCompleted => cancel(2),
    }
}

/// Commits one plan: the order's change and its event. Its sequence.
#[track_caller]
pub fn commit(session: &mut Session, order: u32, step: Step) -> u64 {
    session.rows("BEGIN");
    assert_eq!(session.changed(&change_order(order, step)), 1, "the order is at the version before");
    let sequence = session.value(&store_event(order, step));
    session.rows("COMMIT");
    sequence.parse().expect("a sequence")
}

/// The first column as numbers: a claim's sequences.
#[track_caller]
pub fn sequences(rows: &[Vec<String>]) -> Vec<u64> {
    rows.iter().map(|row| row[0].parse().expect("a sequence")).collect()
}
