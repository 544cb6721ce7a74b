//! orderd keeps orders and announces what happened to them.

pub mod cli;
pub mod config;
pub mod contracts;
pub mod domain;
pub mod journal;
pub mod relay;
pub mod storage;
pub mod usecases;
