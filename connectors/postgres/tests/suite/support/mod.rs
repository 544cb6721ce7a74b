//! A PostgreSQL server of the test's own, and a connector that stores into it.

mod server;

use std::time::Duration;

use orderd_sink_testing::{FakeDaemon, Program};

pub use server::Server;

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-postgres");

/// The least configuration for this server, with more keys after it.
pub fn config(daemon: &FakeDaemon, server: &Server, more: &str) -> String {
    std::fs::write(daemon.dir().join("password"), format!("{}\n", Server::PASSWORD)).unwrap();
    format!("url = \"{}\"\npassword_file = \"password\"\ntable = \"orderd_inbox\"\n{more}", server.url())
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
