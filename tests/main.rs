//! The real daemon, driven from outside: one file a promise or command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod history;
mod support;

mod envelope;
mod idempotency;
mod line_limits;
mod notifications;
mod params;
mod parse_errors;
mod pipelining;
mod published_events;
mod status;
mod times;
mod transitions;
