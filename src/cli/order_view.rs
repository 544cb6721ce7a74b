//! Orders as people read them.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::exit::{Exit, Failure};
use super::output::print;

/// An order on the wire.
#[derive(Debug, Deserialize)]
pub(super) struct OrderView {
    pub(super) order_id: String,
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
        writeln!(f, "order      {}", self.order_id)?;
        writeln!(f, "status     {} (version {})", self.status, self.version)?;
        writeln!(f, "customer   {}", self.customer_id)?;
        writeln!(f, "total      {} cents", self.total_amount)?;
        write!(f, "placed     {}", self.placed_at)?;
        for (name, time) in [("completed", &self.completed_at), ("cancelled", &self.cancelled_at)] {
            if let Some(time) = time {
                write!(f, "\n{name:<10} {time}")?;
            }
        }
        Ok(())
    }
}

/// The result of a command that changes an order.
#[derive(Debug, Deserialize)]
struct Change {
    order: OrderView,
    lsn: u64,
    duplicate: bool,
}

/// Prints what a change answered.
pub(super) fn print_change(result: &RawValue, json: bool) -> Result<(), Failure> {
    if json {
        return print(result.get());
    }
    let Change { order, lsn, duplicate } = read(result)?;
    let again = if duplicate { "; the command was carried out before, nothing was changed now" } else { "" };
    print(&format!("{} order {} (version {}, lsn {lsn}){again}", order.status, order.order_id, order.version))
}

/// Reads a result that this version of the client knows.
pub(super) fn read<'r, T: Deserialize<'r>>(result: &'r RawValue) -> Result<T, Failure> {
    serde_json::from_str(result.get())
        .map_err(|error| Failure::new(Exit::Internal, format!("the daemon's answer cannot be read: {error}")))
}
