//! Ids of orders whose clients chose none.

use crate::contracts::OrderIds;
use crate::domain::{OrderId, Timestamp};

/// None: every order has its own.
pub struct NoIds;

impl OrderIds for NoIds {
    fn next(&mut self, _: Timestamp) -> OrderId {
        panic!("every order has an id of its own here")
    }
}
