//! What records of a checkpoint must mean together, whatever their checksums say: an order that no command can have made,
//! or a command that could be carried out twice, is damage.

use super::{DedupEntry, OrderRow};
use crate::contracts::Lsn;
use crate::domain::{OrderState, OrderStatus};

/// Checks the records of one checkpoint, in the order in which they are read.
#[derive(Debug, Default)]
pub(super) struct MeaningCheck {
    required: Lsn,
    /// The versions of the orders, cut to a byte: no command can name a higher one.
    versions: Vec<u8>,
    last_command: Lsn,
}

impl MeaningCheck {
    /// Checks a checkpoint that was complete when the journal was durable up to `required`.
    pub fn new(required: Lsn) -> Self {
        Self { required, ..Self::default() }
    }

    /// An order is what its verbs can have made of it.
    pub fn order(&mut self, row: &OrderRow) -> Result<(), String> {
        let state = &row.state;
        if !is_possible(state) {
            return Err(format!(
                "order {} is {}, which its version and times do not allow",
                state.order_id, state.status
            ));
        }
        if row.last_lsn == Lsn::ZERO || row.last_lsn > self.required {
            return Err(format!("order {} was changed by LSN {}, which is not in it", state.order_id, row.last_lsn));
        }
        self.versions.push(u8::try_from(state.version).unwrap_or(u8::MAX));
        Ok(())
    }

    /// Commands ascend, and each changed an order that is there.
    pub fn command(&mut self, command: &DedupEntry) -> Result<(), String> {
        let version = self.versions.get(command.row as usize).copied().map(u32::from);
        let fits = version.is_some_and(|version| (1..=version).contains(&command.version));
        if !fits || command.lsn <= self.last_command || command.lsn > self.required {
            return Err(format!("command {} does not fit the orders and the commands before it", command.command_id));
        }
        self.last_command = command.lsn;
        Ok(())
    }
}

/// Whether verbs can have brought an order into this state: each adds 1 to the version and sets its time, none of which
/// runs backwards.
fn is_possible(state: &OrderState) -> bool {
    let times = (state.completed_at, state.cancelled_at);
    match (state.status, state.version, times) {
        (OrderStatus::Placed, 1, (None, None)) => true,
        (OrderStatus::Completed, 2, (Some(completed), None)) => completed >= state.placed_at,
        (OrderStatus::Cancelled, 2, (None, Some(cancelled))) => cancelled >= state.placed_at,
        (OrderStatus::Cancelled, 3, (Some(completed), Some(cancelled))) => {
            completed >= state.placed_at && cancelled >= completed
        }
        (OrderStatus::Placed | OrderStatus::Completed | OrderStatus::Cancelled, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::contracts::Fingerprint;
    use crate::domain::{Cents, CommandId, CustomerId, Order, OrderId, Timestamp};

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn placed() -> Order {
        Order::place(OrderId::new(Uuid::from_u128(1)), CustomerId::new(Uuid::nil()), Cents::MAX, at(10))
    }

    fn check() -> MeaningCheck {
        MeaningCheck::new(Lsn(9))
    }

    fn row(state: OrderState) -> OrderRow {
        OrderRow { state, last_lsn: Lsn(9) }
    }

    #[test]
    fn orders_that_no_verbs_make_are_damage() {
        let mut order = placed();
        let mut cancelled = placed();
        cancelled.cancel(at(5), None).unwrap();
        assert_eq!(check().order(&row(*cancelled.state())), Ok(()));
        assert_eq!(check().order(&row(*order.state())), Ok(()));
        order.complete(at(20)).unwrap();
        let completed = *order.state();
        assert_eq!(check().order(&row(completed)), Ok(()));
        order.cancel(at(30), None).unwrap();
        let all = *order.state();
        assert_eq!(check().order(&row(all)), Ok(()));
        for wrong in [
            OrderState { version: 1, ..completed },
            OrderState { completed_at: None, ..completed },
            OrderState { completed_at: Some(at(9)), ..completed },
            OrderState { status: OrderStatus::Placed, ..completed },
            OrderState { cancelled_at: Some(at(19)), ..all },
            OrderState { version: 2, ..all },
            OrderState { version: 0, ..*placed().state() },
        ] {
            assert!(check().order(&row(wrong)).is_err(), "{wrong:?}");
        }
        for last_lsn in [Lsn::ZERO, Lsn(10)] {
            assert!(check().order(&OrderRow { state: all, last_lsn }).is_err());
        }
    }

    #[test]
    fn commands_that_do_not_fit_are_damage() {
        let command = DedupEntry {
            command_id: CommandId::new(Uuid::from_u128(5)),
            fingerprint: Fingerprint(Uuid::nil()),
            row: 0,
            version: 1,
            lsn: Lsn(4),
        };
        let mut right = check();
        right.order(&row(*placed().state())).unwrap();
        right.command(&command).unwrap();
        for wrong in [
            command,
            DedupEntry { lsn: Lsn(10), ..command },
            DedupEntry { lsn: Lsn(5), row: 1, ..command },
            DedupEntry { lsn: Lsn(5), version: 2, ..command },
            DedupEntry { lsn: Lsn(5), version: 0, ..command },
        ] {
            assert!(right.command(&wrong).is_err(), "{wrong:?}");
        }
    }
}
