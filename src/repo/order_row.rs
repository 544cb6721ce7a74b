//! An order's row as it is kept in memory: 72 bytes, without padding.

use uuid::Uuid;

use crate::contracts::{Lsn, OrderRow};
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// An order's row, packed.
///
/// ```text
/// amount_status_version:  amount 53 bits | status 2 | version 9
/// completed_at, cancelled_at:  microseconds, `NEVER` for none
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedRow {
    order_id: Uuid,
    customer_id: Uuid,
    amount_status_version: u64,
    placed_at: i64,
    completed_at: i64,
    cancelled_at: i64,
    last_lsn: u64,
}

const VERSION_BITS: u32 = 9;
const STATUS_BITS: u32 = 2;
/// The highest version that a row holds; an order has at most three.
pub(super) const VERSION_MAX: u32 = (1 << VERSION_BITS) - 1;
const NEVER: i64 = i64::MIN;

const _: () = assert!(size_of::<PackedRow>() == 72);
const _: () = assert!(Cents::MAX.get() < 1 << (u64::BITS - VERSION_BITS - STATUS_BITS));
const _: () = assert!(Timestamp::MIN.micros() > NEVER);

impl PackedRow {
    /// `None` if the version is higher than any that is packed.
    pub const fn of(row: &OrderRow) -> Option<Self> {
        let state = &row.state;
        if state.version > VERSION_MAX {
            return None;
        }
        let status = match state.status {
            OrderStatus::Placed => 0,
            OrderStatus::Completed => 1,
            OrderStatus::Cancelled => 2,
        };
        let amount_and_status = state.total_amount.get() << STATUS_BITS | status;
        Some(Self {
            order_id: state.order_id.uuid(),
            customer_id: state.customer_id.uuid(),
            amount_status_version: amount_and_status << VERSION_BITS | state.version as u64,
            placed_at: state.placed_at.micros(),
            completed_at: packed_time(state.completed_at),
            cancelled_at: packed_time(state.cancelled_at),
            last_lsn: row.last_lsn.0,
        })
    }

    /// The order's id, which a look-up compares.
    pub const fn order_id(&self) -> OrderId {
        OrderId::new(self.order_id)
    }

    /// Touches both ends of the row, which may lie in two lines of the processor's cache.
    pub const fn touch(&self) -> u64 {
        self.order_id.as_u64_pair().0 ^ self.last_lsn
    }

    /// What was packed.
    pub fn unpack(&self) -> OrderRow {
        let version = self.amount_status_version & u64::from(VERSION_MAX);
        let amount_and_status = self.amount_status_version >> VERSION_BITS;
        let status = match amount_and_status & 3 {
            0 => OrderStatus::Placed,
            1 => OrderStatus::Completed,
            _ => OrderStatus::Cancelled,
        };
        let state = OrderState {
            order_id: OrderId::new(self.order_id),
            customer_id: CustomerId::new(self.customer_id),
            // What is packed was in its range.
            total_amount: Cents::new(amount_and_status >> STATUS_BITS).unwrap_or(Cents::MAX),
            status,
            version: u32::try_from(version).unwrap_or(VERSION_MAX),
            placed_at: time(self.placed_at).unwrap_or(Timestamp::MIN),
            completed_at: time(self.completed_at),
            cancelled_at: time(self.cancelled_at),
        };
        OrderRow { state, last_lsn: Lsn(self.last_lsn) }
    }
}

const fn packed_time(time: Option<Timestamp>) -> i64 {
    match time {
        Some(time) => time.micros(),
        None => NEVER,
    }
}

fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_unpacks_to_what_was_packed() {
        let times = [None, Some(Timestamp::MIN), Some(Timestamp::MAX)];
        for status in [OrderStatus::Placed, OrderStatus::Completed, OrderStatus::Cancelled] {
            for (version, cents) in [(1, 0), (3, 1250), (VERSION_MAX, Cents::MAX.get())] {
                for completed_at in times {
                    let state = OrderState {
                        order_id: OrderId::new(Uuid::from_u128(u128::MAX)),
                        customer_id: CustomerId::new(Uuid::from_u128(7)),
                        total_amount: Cents::new(cents).unwrap(),
                        status,
                        version,
                        placed_at: Timestamp::MAX,
                        completed_at,
                        cancelled_at: completed_at,
                    };
                    let row = OrderRow { state, last_lsn: Lsn(u64::MAX) };
                    assert_eq!(PackedRow::of(&row).unwrap().unpack(), row);
                }
            }
        }
    }
}
