//! A server of our own, and what only an operator or a consumer does with it.

use std::future::IntoFuture;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context, stream};
use orderd_sink_testing::{Received, Server, Target, free_port};
use tokio::runtime::Runtime;

/// A server with its data in the daemon's folder.
pub struct Nats {
    pub server: Server,
    pub port: u16,
    runtime: Runtime,
}

/// A message as it is stored.
pub struct Stored {
    pub subject: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Nats {
    pub fn start(dir: &Path) -> Self {
        Self::with(dir, "")
    }

    /// With the stream.
    pub fn with_stream(dir: &Path) -> Self {
        let nats = Self::start(dir);
        nats.create_stream();
        nats
    }

    /// With more lines of configuration.
    pub fn with(dir: &Path, more: &str) -> Self {
        Self::on(dir, free_port(), more)
    }

    pub fn on(dir: &Path, port: u16, more: &str) -> Self {
        let (file, store) = (dir.join("nats.conf"), dir.join("store"));
        let text =
            format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n{more}\n", store.display());
        std::fs::write(&file, text).unwrap();
        let command = move || {
            let mut command = Command::new("nats-server");
            command.arg("-c").arg(&file);
            command
        };
        let server = Server::start(dir, command, move || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self {
            server,
            port,
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        }
    }

    pub fn run<F: IntoFuture>(&self, future: F) -> F::Output {
        self.runtime.block_on(future.into_future())
    }

    pub fn context(&self) -> Context {
        self.context_as(ConnectOptions::new())
    }

    pub fn context_as(&self, options: ConnectOptions) -> Context {
        let _in_runtime = self.runtime.enter();
        let client = self.run(options.connect(format!("nats://127.0.0.1:{}", self.port))).unwrap();
        jetstream::new(client)
    }

    pub fn create_stream(&self) {
        self.create_stream_as(&self.context(), orders());
    }

    pub fn create_stream_as(&self, context: &Context, config: stream::Config) {
        self.run(async { context.create_stream(config).await.unwrap() });
    }

    /// Everything in the stream, in its order.
    pub fn stored_as(&self, context: &Context) -> Vec<Stored> {
        self.run(async {
            let stream = context.get_stream("ORDERS").await.unwrap();
            let state = &stream.cached_info().state;
            let mut stored = Vec::new();
            for sequence in state.first_sequence.max(1)..=state.last_sequence {
                let message = stream.get_raw_message(sequence).await.unwrap();
                let headers = message.headers.iter();
                let headers = headers.map(|(name, values)| (name.to_string(), values[0].to_string())).collect();
                stored.push(Stored { subject: message.subject.to_string(), headers, body: message.payload.to_vec() });
            }
            stored
        })
    }
}

/// The stream is ORDERS.
impl Target for Nats {
    const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-nats");
    type Message = Stored;

    fn keys(&self) -> String {
        format!("servers = [\"nats://127.0.0.1:{}\"]\nstream = \"ORDERS\"\nsubject = \"orders.{{type}}\"\n", self.port)
    }

    fn stored(&self) -> Vec<Stored> {
        self.stored_as(&self.context())
    }

    fn kill(&mut self) {
        self.server.start_again();
    }
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl From<Stored> for Received {
    fn from(message: Stored) -> Self {
        Self { headers: message.headers, content_type: None, body: message.body }
    }
}

impl Stored {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

pub fn orders() -> stream::Config {
    stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["orders.>".to_owned()],
        duplicate_window: Duration::from_secs(120),
        ..stream::Config::default()
    }
}
