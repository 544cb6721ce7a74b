//! `orderd-sink-webhook`: one POST per event, signed as Standard Webhooks v1.

mod addresses;
mod client;
mod config;
mod handshake;
mod post;
mod response;
mod retry_after;
mod signature;
mod target;

fn main() -> std::process::ExitCode {
    orderd_sink::main::<target::Webhook>(env!("CARGO_PKG_VERSION"))
}
