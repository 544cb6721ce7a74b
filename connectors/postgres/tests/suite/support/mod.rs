//! A PostgreSQL server of the test's own, and a connector that stores into it.

mod server;

use std::time::Duration;

use orderd_sink_testing::{FakeDaemon, Program, Received, Target};

pub use server::Server;

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-postgres");

/// The least configuration for this server, with more keys after it.
pub fn config(daemon: &FakeDaemon, server: &Server, more: &str) -> String {
    std::fs::write(daemon.dir().join("password"), format!("{}\n", Server::PASSWORD)).unwrap();
    format!("url = \"{}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\n{more}", server.url())
}

impl Target for Server {
    const BINARY: &str = BINARY;
    type Message = Row;

    fn keys(&self) -> String {
        let password = self.dir().join("password");
        std::fs::write(&password, Self::PASSWORD).unwrap();
        format!("url = \"{}\"\npassword_file = {password:?}\ntable = \"orderd_inbox\"\n", self.url())
    }

    fn stored(&self) -> Vec<Row> {
        self.sql("SELECT event FROM orderd_inbox ORDER BY position").lines().map(|line| Row(line.to_owned())).collect()
    }

    fn kill(&mut self) {
        Server::kill(self);
        self.come_back();
    }
}

/// The column `event` of a row.
pub struct Row(String);

impl AsRef<[u8]> for Row {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A table has no headers; as Kafka's structured message it is the body alone.
impl From<Row> for Received {
    fn from(Row(event): Row) -> Self {
        let headers = vec![("content-type".to_owned(), "application/cloudevents+json".to_owned())];
        Self { headers, content_type: None, body: event.into_bytes() }
    }
}

/// A server with the table, which also counts the order of insertion.
pub fn inbox() -> Server {
    let server = Server::start(&[]);
    server.sql(&schema());
    server.sql("ALTER TABLE orderd_inbox ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY");
    server
}

/// What `schema` prints.
pub fn schema() -> String {
    String::from_utf8(Program::run(BINARY, &["schema"]).stdout).unwrap()
}

/// A daemon, a server with the table, and the connector between them.
pub fn start(more: &str) -> (FakeDaemon, Server, Program) {
    let server = Server::start(&[]);
    server.sql(&schema());
    let daemon = FakeDaemon::start();
    daemon.set_backoff(Duration::from_millis(50));
    let program = Program::start(BINARY, &daemon, &config(&daemon, &server, more));
    (daemon, server, program)
}
