//! orderd keeps orders and announces what happened to them.

pub mod contracts;
pub mod domain;
