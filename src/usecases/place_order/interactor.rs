use crate::contracts::{OrderRepository, Plan, RetrieveError, StoreUnavailable};
use crate::domain::{Cents, CustomerId, Order, OrderId, Timestamp};

/// What is asked for, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The new order's id.
    pub order_id: OrderId,
    /// Whose it will be.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total_amount: Cents,
    /// The time of the command.
    pub now: Timestamp,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is taken.
    #[error("order {0} exists already")]
    OrderExists(OrderId),
    /// It is not known now whether the id is taken.
    #[error(transparent)]
    Unavailable(#[from] StoreUnavailable),
}

/// Runs the use case on a repository.
#[derive(Debug)]
pub struct Interactor<'a, R> {
    repository: &'a R,
}

impl<'a, R: OrderRepository> Interactor<'a, R> {
    /// An interactor that reads from `repository`.
    pub const fn new(repository: &'a R) -> Self {
        Self { repository }
    }

    /// Plans the new order together with its outbox entries.
    ///
    /// # Errors
    /// The id is taken, or it is not known now whether it is.
    pub fn execute(&self, request: &Request) -> Result<Plan, Error> {
        match self.repository.retrieve(request.order_id) {
            Ok(_) => return Err(Error::OrderExists(request.order_id)),
            Err(RetrieveError::NotFound(_)) => {}
            Err(RetrieveError::Unavailable(unavailable)) => return Err(unavailable.into()),
        }
        let mut order = Order::place(request.order_id, request.customer_id, request.total_amount, request.now);
        Ok(Plan::for_order(self.repository, &mut order))
    }
}

#[cfg(test)]
#[path = "interactor_test.rs"]
mod tests;
