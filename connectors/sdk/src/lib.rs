//! What a connector of orderd needs besides its target.
//!
//! A connector is a process that attaches to one sink of the daemon through its Unix socket, takes the sink's events to
//! a [`Target`] and tells the daemon what became of each. This crate does the rest: command line, configuration,
//! attaching again after the daemon was away, outcomes in batches, signals, the service manager, logs.
//!
//! A connector of one's own is a [`Connector`] with its configuration, a [`Target`], and
//! `fn main() -> std::process::ExitCode { orderd_sink::main::<Mine>(env!("CARGO_PKG_VERSION")) }`.

#![forbid(unsafe_code)]

pub mod address;
mod backoff;
mod cli;
#[cfg(feature = "tokio")]
mod close_reason;
pub mod cloudevents;
mod config;
mod delivery;
mod event;
mod exit;
mod link;
mod logging;
mod main_program;
mod outcome;
mod protocol;
mod runner;
mod service;
mod session;
mod signals;
mod target;
mod target_thread;
mod template;
pub mod text;

#[cfg(feature = "tokio")]
pub use close_reason::CloseReason;
pub use config::{
    ClientPem, Common, ConfigError, Credentials, Defaults, OneOrMany, Secret, SecretFile, TlsFiles, TlsPem,
};
pub use delivery::Delivery;
pub use event::{Event, EventError};
pub use logging::{LogFormat, LogLevel};
pub use main_program::main;
pub use outcome::{Outcome, Unavailable};
pub use target::{Connector, Target};
pub use template::Template;
