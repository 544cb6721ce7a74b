//! A scripted endpoint, and a connector that posts to it.

mod endpoint;

use std::net::SocketAddr;
use std::time::Duration;

use orderd_sink_testing::{FakeDaemon, Program, Received, Target, free_port};
use tempfile::TempDir;

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

/// An endpoint that answers 200, and that can be killed.
pub struct Receiver {
    dir: TempDir,
    address: SocketAddr,
    /// The last one is alive.
    endpoints: Vec<Endpoint>,
}

impl Receiver {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), SECRET).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { dir, address, endpoints: vec![Endpoint::start_at(address, |_| Reply::Status(200))] }
    }
}

impl Receiver {
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

impl Target for Receiver {
    const BINARY: &str = BINARY;
    type Message = Request;

    fn keys(&self) -> String {
        let secret = self.dir.path().join("secret");
        format!("url = \"{}\"\nsecret_files = [{secret:?}]\nreattach_ms_max = 100\n", self.url())
    }

    fn stored(&self) -> Vec<Request> {
        self.endpoints.iter().flat_map(Endpoint::requests).collect()
    }

    fn kill(&mut self) {
        if let Some(endpoint) = self.endpoints.last_mut() {
            endpoint.go_away();
        }
        self.endpoints.push(Endpoint::start_at(self.address, |_| Reply::Status(200)));
    }
}

impl AsRef<[u8]> for Request {
    fn as_ref(&self) -> &[u8] {
        self.body.as_bytes()
    }
}

impl From<Request> for Received {
    fn from(request: Request) -> Self {
        Self { headers: request.headers, content_type: None, body: request.body.into_bytes() }
    }
}
