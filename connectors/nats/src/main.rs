//! Takes the events of a sink to a stream of NATS JetStream.

#![forbid(unsafe_code)]

mod answers;
mod auth;
mod config;
mod events;
mod link;
mod target;

/// The program `orderd-sink-nats`.
fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::Nats>(env!("CARGO_PKG_VERSION"))
}
