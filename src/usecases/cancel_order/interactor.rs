use crate::contracts::{OrderRepository, Plan, RetrieveError};
use crate::domain::{CancelReason, OrderId, Timestamp, TransitionError};

/// What is asked for, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The order to cancel.
    pub order_id: OrderId,
    /// Why.
    pub reason: Option<CancelReason>,
    /// The time of the command.
    pub now: Timestamp,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such order, or it cannot be read now.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// The order's status does not allow it.
    #[error(transparent)]
    Transition(#[from] TransitionError),
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

    /// Plans the cancellation: the order's changed fields together with the outbox entries of the events it raised.
    ///
    /// # Errors
    /// There is no such order, it cannot be read now, or it is cancelled already.
    pub fn execute(&self, request: Request) -> Result<Plan, Error> {
        let mut order = self.repository.retrieve(request.order_id)?;
        order.cancel(request.now, request.reason)?;
        Ok(Plan::for_order(self.repository, &mut order))
    }
}

#[cfg(test)]
#[path = "interactor_test.rs"]
mod tests;
