//! Tests of the real program: a fake daemon behind its socket, HTTP or a browser in front of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test that fails panics"
)]

mod support;

mod acting;
mod browser_acting;
mod browser_views;
mod daemon_trouble;
mod health;
mod limits;
mod listening;
mod load;
mod metrics;
mod pictures;
mod real_daemon;
mod rules;
mod service;
mod strangers;
mod views;
