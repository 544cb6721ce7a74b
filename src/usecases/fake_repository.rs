//! A repository over a map, for the interactors' tests.

use std::collections::HashMap;

use uuid::Uuid;

use crate::contracts::{Mutation, OrderNotFound, OrderRepository, RetrieveError};
use crate::domain::{Cents, CustomerId, Order, OrderId, OrderState, Timestamp};

pub(super) struct FakeRepository {
    pub(super) orders: HashMap<OrderId, OrderState>,
}

impl OrderRepository for FakeRepository {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError> {
        Ok(self.orders.get(&order_id).copied().map(Order::rehydrate).ok_or(OrderNotFound(order_id))?)
    }

    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        crate::repo::update_mut(order)
    }

    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation> {
        crate::repo::outbox_muts(order)
    }
}

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(super) fn order_id() -> OrderId {
    OrderId::new(Uuid::from_u128(1))
}

/// Holds one order, placed at 100.
pub(super) fn with_placed_order() -> FakeRepository {
    let order = Order::place(order_id(), CustomerId::new(Uuid::from_u128(2)), Cents::new(995).unwrap(), at(100));
    FakeRepository { orders: HashMap::from([(order_id(), *order.state())]) }
}
