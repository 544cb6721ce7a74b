//! Takes the events of a sink to an exchange of RabbitMQ.

#![forbid(unsafe_code)]

mod answers;
mod config;
mod confirms;
mod connection;
mod link;
mod message;
mod target;

/// The program `orderd-sink-rabbitmq`.
fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::RabbitMq>(env!("CARGO_PKG_VERSION"))
}
