//! Takes the events of a sink to a stream of Redis.

#![forbid(unsafe_code)]

mod answers;
mod config;
mod link;
mod script;
mod target;

/// The program `orderd-sink-redis`.
fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::Redis>(env!("CARGO_PKG_VERSION"))
}
