//! The connector against a real server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod access;
mod answers;
mod configuration;
mod delivery;
mod kills;
mod outages;
mod refusals;
#[allow(dead_code, reason = "the minimal publisher runs the same script")]
#[path = "../../src/script.rs"]
mod script;
mod setup;
mod throughput;
