//! Cancels an order.

mod interactor;

pub use interactor::{Error, Interactor, Request};
