//! The connector against a real server.

mod access;
mod configuration;
mod delivery;
mod kills;
mod outages;
mod refusals;
mod setup;
