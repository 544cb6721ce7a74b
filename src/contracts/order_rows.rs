//! The orders one after the other, for whoever goes through all of them while commands go on.

use super::Lsn;
use crate::domain::OrderState;

/// An order, and the last plan that changed it: from there a chain of plans leads back to its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRow {
    /// The order.
    pub state: OrderState,
    /// The last plan that changed it.
    pub last_lsn: Lsn,
}

/// Takes rows when they are there.
pub type RowsAnswer = Box<dyn FnOnce(Vec<OrderRow>) + Send>;

/// Shows orders in the order in which they were placed. A row is never removed, and never changes its number.
///
/// An implementation MUST NOT wait, whatever the store is doing, and must show what is durable and nothing else.
pub trait OrderRows: Send + Sync {
    /// Asks for at most `count` rows from number `from` on, counted from 0. `answer` gets them as they are when it is
    /// their turn, from another thread; fewer than there are only because of `count`. It is dropped if the daemon ends
    /// before. `false` if too much is asked at once: ask again a moment later.
    fn ask(&self, from: u64, count: usize, answer: RowsAnswer) -> bool;
}
