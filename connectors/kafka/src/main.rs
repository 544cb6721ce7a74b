//! Takes the events of a sink to a topic of Apache Kafka.

#![forbid(unsafe_code)]

mod answers;
mod config;
mod context;
mod link;
mod options;
mod target;

/// The program `orderd-sink-kafka`.
fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::Kafka>(env!("CARGO_PKG_VERSION"))
}
