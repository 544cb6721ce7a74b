//! orderd keeps orders and announces what happened to them.

pub mod cli;
pub mod contracts;
pub mod domain;
