//! orderd keeps orders and announces what happened to them.

pub mod app;
pub mod backup;
pub mod cli;
pub mod config;
pub mod contracts;
pub mod domain;
pub mod executor;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod journal;
pub mod logging;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod relay;
pub mod repo;
pub mod server;
pub mod storage;
pub mod systemd;
pub mod telemetry;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod testkit;
pub mod usecases;
