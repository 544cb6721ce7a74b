//! One folder a use case. An interactor retrieves, lets the aggregate decide, and returns one plan with everything
//! that must be stored together. It writes nothing and publishes nothing.

pub mod cancel_order;
pub mod complete_order;
pub mod place_order;

#[cfg(test)]
mod fake_repository;
