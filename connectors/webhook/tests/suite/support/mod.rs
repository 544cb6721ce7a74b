//! A scripted endpoint, and a connector that posts to it.

mod endpoint;

use std::time::Duration;

use orderd_sink_testing::{FakeDaemon, Program};

pub use endpoint::{Endpoint, Reply, Request};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-webhook");

/// 24 bytes, base64.
pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Another one.
pub const NEW_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// The least configuration for this endpoint, with more keys after it.
pub fn config(daemon: &FakeDaemon, url: &str, more: &str) -> String {
    std::fs::write(daemon.dir().join("secret"), SECRET).unwrap();
    format!("url = \"{url}\"\nsecret_files = [\"secret\"]\n{more}")
}

/// A daemon, an endpoint and the connector between them.
pub fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static, more: &str) -> (FakeDaemon, Endpoint, Program) {
    let daemon = FakeDaemon::start();
    daemon.set_backoff(Duration::from_millis(20));
    let endpoint = Endpoint::start(reply);
    let program = Program::start(BINARY, &daemon, &config(&daemon, &endpoint.url(), more));
    (daemon, endpoint, program)
}
