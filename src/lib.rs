//! orderd keeps orders and announces what happened to them.

pub mod app;
pub mod cli;
pub mod config;
pub mod contracts;
pub mod domain;
pub mod executor;
pub mod journal;
pub mod log;
pub mod relay;
pub mod repo;
pub mod server;
pub mod service;
pub mod storage;
pub mod usecases;
