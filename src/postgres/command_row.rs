//! A remembered command, as a row.

use tokio_postgres::Row;
use uuid::Uuid;

use super::DatabaseError;
use super::order_row::{column, order, out_of_range, unsigned};
use crate::contracts::{Fingerprint, Lsn, RememberedCommand};

/// A row of @find_commands.
pub(super) fn remembered_command(row: &Row) -> Result<RememberedCommand, DatabaseError> {
    let version = u32::try_from(column::<i32>(row, 2)?).map_err(|_| out_of_range("version"))?;
    Ok(RememberedCommand {
        fingerprint: Fingerprint(column::<Uuid>(row, 1)?),
        order: order(row, 4)?.as_of(version),
        lsn: Lsn(unsigned(row, 3)?),
    })
}
