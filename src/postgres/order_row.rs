//! Orders as rows.

use chrono::DateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use super::DatabaseError;
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// A column's value; what is not as SCHEMA.sql says is an error.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, DatabaseError> {
    row.try_get(at).map_err(|error| DatabaseError::Refused(format!("a row is not as SCHEMA.sql says: {error}")))
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row, at: usize) -> Result<u64, DatabaseError> {
    u64::try_from(column::<i64>(row, at)?).map_err(|_| out_of_range("number"))
}

pub(super) fn out_of_range(what: &str) -> DatabaseError {
    DatabaseError::Refused(format!("a stored {what} is out of its range"))
}

/// As `bigint` holds it; orderd's own counters never come near the end.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As `integer` holds it.
pub(super) fn integer(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A time as `utc_time` holds it.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, DatabaseError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| out_of_range("time"))?;
    Ok(Timestamp::from_datetime(time.to_utc()))
}

fn optional_timestamp(row: &Row, at: usize) -> Result<Option<Timestamp>, DatabaseError> {
    column::<Option<&str>>(row, at)?.map(timestamp).transpose()
}

/// The order in eight columns from `first` on, as @find_orders selects them.
pub(super) fn order(row: &Row, first: usize) -> Result<OrderState, DatabaseError> {
    let amount = u64::try_from(column::<i64>(row, first + 2)?).map_err(|_| out_of_range("amount"))?;
    Ok(OrderState {
        order_id: OrderId::new(column::<Uuid>(row, first)?),
        customer_id: CustomerId::new(column::<Uuid>(row, first + 1)?),
        total_amount: Cents::new(amount).map_err(|_| out_of_range("amount"))?,
        status: status(column(row, first + 3)?)?,
        version: u32::try_from(column::<i32>(row, first + 4)?).map_err(|_| out_of_range("version"))?,
        placed_at: timestamp(column(row, first + 5)?)?,
        completed_at: optional_timestamp(row, first + 6)?,
        cancelled_at: optional_timestamp(row, first + 7)?,
    })
}

pub(super) fn status(text: &str) -> Result<OrderStatus, DatabaseError> {
    let all = [OrderStatus::Placed, OrderStatus::Completed, OrderStatus::Cancelled];
    all.into_iter().find(|status| status.as_str() == text).ok_or_else(|| out_of_range("status"))
}

/// Whether a JSON text has the escape of U+0000, which neither `text` nor what reads `json` can hold.
pub(super) fn has_nul_escape(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let backslashes = json.get(..at).unwrap_or_default().bytes().rev().take_while(|byte| *byte == b'\\').count();
        backslashes.is_multiple_of(2)
    })
}
