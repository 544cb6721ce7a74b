//! A server of our own, and what only an operator or a consumer does with it.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use orderd_sink_testing::{Received, Server, Target, eventually, free_port};
use tokio::runtime::Runtime;

/// A server with its data in the daemon's folder.
pub struct RabbitMq {
    pub server: Server,
    pub port: u16,
    dir: PathBuf,
    node: BTreeMap<&'static str, String>,
    runtime: Runtime,
}

/// A message as a consumer gets it.
pub struct Stored {
    pub body: Vec<u8>,
    pub routing_key: String,
    pub properties: BasicProperties,
}

impl RabbitMq {
    pub fn start(dir: &Path) -> Self {
        Self::on(dir, free_port(), "")
    }

    /// With the exchange `orders` and its queue.
    pub fn with_queue(dir: &Path) -> Self {
        let rabbitmq = Self::start(dir);
        rabbitmq.declare();
        rabbitmq
    }

    /// With more lines of configuration.
    pub fn on(dir: &Path, port: u16, more: &str) -> Self {
        let text = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\nvm_memory_high_watermark.absolute = 4GB\n\
             disk_free_limit.absolute = 1MB\n{more}\n"
        );
        std::fs::write(dir.join("rabbitmq.conf"), text).unwrap();
        std::fs::write(dir.join("plugins"), "[].\n").unwrap();
        std::fs::write(dir.join("env.conf"), "").unwrap();
        let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        // Everything that Erlang would share between nodes of one machine is this node's own, on the loopback alone.
        let node = BTreeMap::from([
            ("HOME", file("")),
            ("RABBITMQ_MNESIA_BASE", file("mnesia")),
            ("RABBITMQ_LOG_BASE", file("log")),
            ("RABBITMQ_CONFIG_FILE", file("rabbitmq")),
            ("RABBITMQ_CONF_ENV_FILE", file("env.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins")),
            ("RABBITMQ_PID_FILE", file("pid")),
            ("RABBITMQ_NODENAME", format!("orderd-{port}@localhost")),
            ("RABBITMQ_DIST_PORT", free_port().to_string()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
            ("ERL_EPMD_PORT", free_port().to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ]);
        let environment = node.clone();
        let command = move || {
            let mut command = Command::new("bash");
            // The port mapper would outlive the node as a daemon; in the foreground it ends with the group.
            let start = format!("epmd -port $ERL_EPMD_PORT -address 127.0.0.1 & exec {}/rabbitmq-server", sbin());
            command.arg("-c").arg(start).envs(&environment);
            command
        };
        let server = Server::start(dir, command, move || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { server, port, dir: dir.to_owned(), node, runtime }
    }

    /// `rabbitmqctl` of this node.
    pub fn ctl(&self, arguments: &[&str]) {
        let mut ctl = Command::new(format!("{}/rabbitmqctl", sbin()));
        let output = ctl.args(arguments).envs(&self.node).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn run<F: IntoFuture>(&self, future: F) -> F::Output {
        self.runtime.block_on(future.into_future())
    }

    pub fn channel(&self) -> (Connection, Channel) {
        let url = format!("amqp://127.0.0.1:{}/%2f", self.port);
        eventually("a connection", || {
            self.run(async {
                let connection = Connection::connect(&url, ConnectionProperties::default()).await.ok()?;
                let channel = connection.create_channel().await.ok()?;
                Some((connection, channel))
            })
        })
    }

    pub fn declare_exchange(&self) {
        let (_connection, channel) = self.channel();
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        self.run(channel.exchange_declare("orders".into(), ExchangeKind::Topic, options, FieldTable::default()))
            .unwrap();
    }

    pub fn bind_queue(&self, arguments: FieldTable, routing_key: &str) {
        let (_connection, channel) = self.channel();
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.run(async {
            channel.queue_declare("all".into(), options, arguments).await.unwrap();
            let bind = QueueBindOptions::default();
            channel
                .queue_bind("all".into(), "orders".into(), routing_key.into(), bind, FieldTable::default())
                .await
                .unwrap();
        });
    }

    /// The exchange `orders` and a durable queue that takes everything.
    pub fn declare(&self) {
        self.declare_exchange();
        self.bind_queue(FieldTable::default(), "orders.#");
    }
}

impl Target for RabbitMq {
    const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-rabbitmq");
    type Message = Stored;

    fn keys(&self) -> String {
        let password = self.dir.join("guest");
        std::fs::write(&password, "guest\n").unwrap();
        let url = format!("url = \"amqp://guest@127.0.0.1:{}/%2f\"\npassword_file = {password:?}\n", self.port);
        url + "exchange = \"orders\"\nrouting_key = \"orders.{type}\"\n"
    }

    /// Takes everything out of the queue.
    fn stored(&self) -> Vec<Stored> {
        let (_connection, channel) = self.channel();
        self.run(async {
            let mut stored = Vec::new();
            while let Some(message) = channel.basic_get("all".into(), BasicGetOptions { no_ack: true }).await.unwrap() {
                let delivery = message.delivery;
                let routing_key = delivery.routing_key.as_str().to_owned();
                stored.push(Stored { body: delivery.data, routing_key, properties: delivery.properties });
            }
            stored
        })
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
        let content_type = message.properties.content_type().as_ref().map(|text| text.as_str().to_owned());
        Self { headers: message.headers(), content_type, body: message.body }
    }
}

impl Stored {
    pub fn id(&self) -> &str {
        self.properties.message_id().as_ref().unwrap().as_str()
    }

    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(headers) = self.properties.headers() else { return Vec::new() };
        let text = |value: &AMQPValue| match value {
            AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).unwrap(),
            other => panic!("{other:?} is not a text"),
        };
        headers.inner().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
    }
}

/// Debian's programs in `/usr/sbin` insist on a user of their own; these do not.
fn sbin() -> String {
    let server = "/usr/lib/rabbitmq/lib";
    let versions = std::fs::read_dir(server)
        .unwrap_or_else(|error| panic!("rabbitmq-server is not installed: this test needs the real server ({error})"));
    let folder = versions.flatten().map(|entry| entry.path().join("sbin")).find(|path| path.exists());
    folder.expect("the programs of rabbitmq-server").to_str().unwrap().to_owned()
}
