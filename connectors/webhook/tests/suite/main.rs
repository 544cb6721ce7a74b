//! The connector as a process, between a scripted daemon and a scripted endpoint.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm
)]

mod configuration;
mod foreign_verifiers;
mod kills;
mod outcomes;
mod real_daemon;
mod requests;
mod running;
mod support;
mod throughput;
mod tls;
