//! A server of our own, and what only an operator or a consumer does with it.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use orderd_sink_testing::{FakeDaemon, Program, Server, eventually, free_port};
use redis::{Client, Connection, FromRedisValue, Value};

pub const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-redis");

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

    pub fn keys(&self) -> String {
        format!("url = \"redis://127.0.0.1:{}\"\nstream = \"orders\"\n", self.port)
    }

    pub fn connector(&self, daemon: &FakeDaemon, more: &str) -> Program {
        Program::start(BINARY, daemon, &format!("{}{more}", self.keys()))
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

    /// The field `event` of every entry, in the stream's order.
    pub fn stored(&self) -> Vec<Vec<u8>> {
        stored(&mut self.connection())
    }
}

pub fn command<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    let (name, arguments) = words.split_first().unwrap();
    redis::cmd(name).arg(arguments).query(connection).unwrap()
}

pub fn stored(connection: &mut Connection) -> Vec<Vec<u8>> {
    let entries: Vec<(String, Vec<Value>)> = command(connection, &["XRANGE", "orders", "-", "+"]);
    let event = |(_, fields): (String, Vec<Value>)| match &fields[..] {
        [Value::BulkString(name), Value::BulkString(event)] if name == b"event" => event.clone(),
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(event).collect()
}
