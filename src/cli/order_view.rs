//! Orders as people read them.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::exit::{Exit, Failure};
use super::table::fields;
use super::terminal::one_line;

/// An order on the wire.
#[derive(Debug, Deserialize)]
pub(super) struct OrderView {
    order_id: String,
    customer_id: String,
    total_amount: u64,
    status: String,
    version: u64,
    placed_at: String,
    completed_at: Option<String>,
    cancelled_at: Option<String>,
}

impl fmt::Display for OrderView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = vec![
            ("order", self.order_id.clone()),
            ("status", format!("{} (version {})", self.status, self.version)),
            ("customer", self.customer_id.clone()),
            ("total", format!("{} cents", self.total_amount)),
            ("placed", self.placed_at.clone()),
        ];
        for (name, time) in [("completed", &self.completed_at), ("cancelled", &self.cancelled_at)] {
            shown.extend(time.clone().map(|time| (name, time)));
        }
        f.write_str(&fields(shown))
    }
}

/// The result of a command that changes an order.
#[derive(Debug, Deserialize)]
struct Change {
    order: OrderView,
    lsn: u64,
    duplicate: bool,
}

/// What a change answered, in a sentence.
pub(super) fn change_text(result: &RawValue) -> Result<String, Failure> {
    let Change { order, lsn, duplicate } = read(result)?;
    let again = if duplicate { "; the command was carried out before, nothing was changed now" } else { "" };
    Ok(one_line(&format!("{} order {} (version {}, lsn {lsn}){again}", order.status, order.order_id, order.version)))
}

/// Reads a result that this version of the client knows.
pub(super) fn read<'r, T: Deserialize<'r>>(result: &'r RawValue) -> Result<T, Failure> {
    serde_json::from_str(result.get())
        .map_err(|error| Failure::new(Exit::Internal, format!("the daemon's answer cannot be read: {error}")))
}
