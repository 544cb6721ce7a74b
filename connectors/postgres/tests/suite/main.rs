//! The connector as a process, between a scripted daemon and a real PostgreSQL server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm
)]

mod configuration;
mod kills;
mod mending;
mod outcomes;
mod real_daemon;
mod rows;
mod support;
mod throughput;
mod tls;
