//! The connector against a real server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod access;
mod configuration;
mod delivery;
mod kills;
mod outages;
mod partitions;
mod refusals;
mod setup;
mod throughput;
