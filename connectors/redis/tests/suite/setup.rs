//! A server of our own, and what only an operator or a consumer does with it.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use orderd_sink_testing::{Received, Server, Target, eventually, free_port};
use redis::{Client, Connection, FromRedisValue, Value};

/// A server that syncs its append-only file before it answers, with its data in the daemon's folder.
pub struct Redis {
    pub server: Server,
    pub port: u16,
}

impl Redis {
    pub fn start(dir: &Path) -> Self {
        Self::with(dir, &[])
    }

    /// With more options of the command line.
    pub fn with(dir: &Path, options: &[&str]) -> Self {
        Self::on(dir, free_port(), options)
    }

    pub fn on(dir: &Path, port: u16, options: &[&str]) -> Self {
        let folder = dir.to_owned();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let command = move || {
            let mut command = Command::new("redis-server");
            command.arg("--dir").arg(&folder).args(["--bind", "127.0.0.1", "--port"]).arg(port.to_string());
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).args(&options);
            command
        };
        let server = Server::start(dir, command, move || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { server, port }
    }

    pub fn connection(&self) -> Connection {
        eventually("a connection", || {
            let client = Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
            client.get_connection().ok()
        })
    }

    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        command(&mut self.connection(), words)
    }
}

impl Target for Redis {
    const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-redis");
    type Message = Entry;

    fn keys(&self) -> String {
        format!("url = \"redis://127.0.0.1:{}\"\nstream = \"orders\"\n", self.port)
    }

    fn stored(&self) -> Vec<Entry> {
        stored(&mut self.connection())
    }

    fn kill(&mut self) {
        self.server.start_again();
    }
}

/// The field `event` of an entry.
pub struct Entry(pub Vec<u8>);

impl AsRef<[u8]> for Entry {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Redis has no headers; as Kafka's structured message it is the body alone.
impl From<Entry> for Received {
    fn from(Entry(body): Entry) -> Self {
        let headers = vec![("content-type".to_owned(), "application/cloudevents+json".to_owned())];
        Self { headers, content_type: None, body }
    }
}

pub fn command<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    let (name, arguments) = words.split_first().unwrap();
    redis::cmd(name).arg(arguments).query(connection).unwrap()
}

/// Every entry of the stream, in its order.
pub fn stored(connection: &mut Connection) -> Vec<Entry> {
    let entries: Vec<(String, Vec<Value>)> = command(connection, &["XRANGE", "orders", "-", "+"]);
    let event = |(_, fields): (String, Vec<Value>)| match &fields[..] {
        [Value::BulkString(name), Value::BulkString(event)] if name == b"event" => Entry(event.clone()),
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(event).collect()
}
