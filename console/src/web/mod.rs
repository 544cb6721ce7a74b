//! HTTP: who may ask, what is answered, and how many may wait.

mod api;
mod app;
mod assets;
mod connections;
mod counters;
mod decision_log;
mod guard;
mod health;
mod hosts;
mod metrics;
mod page;
mod router;
mod server;

pub use app::App;
pub use hosts::Hosts;
pub use server::Server;
