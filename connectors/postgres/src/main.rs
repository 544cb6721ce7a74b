//! `orderd-sink-postgres`: an inbox table in PostgreSQL, each event in it exactly once.

mod config;
mod connection;
mod failure;
mod sql;
mod target;
mod tls;

fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::Postgres>(env!("CARGO_PKG_VERSION"))
}
