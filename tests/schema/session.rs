//! Databases with SCHEMA.sql in them, and connections to them.
//!
//! Driven through `psql`, so that no client library (and no async runtime under it) enters the dependencies.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};

use crate::support::DEADLINE;
use crate::support::postgres_server::Server;

/// A database of its own for one test, with SCHEMA.sql loaded.
pub struct Database {
    server: Arc<Server>,
    name: String,
}

/// One connection. What it is told runs in the order it was told.
pub struct Session {
    psql: Child,
    lines: Receiver<String>,
    stderr: PathBuf,
}

/// A statement that the server refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub sqlstate: String,
    pub message: String,
}

pub type Rows = Vec<Vec<String>>;

impl Database {
    pub fn create() -> Database {
        Database::on(Server::shared())
    }

    /// On a server that no other test uses, and that may be stopped.
    pub fn of_its_own() -> Database {
        Database::on(Arc::new(Server::start()))
    }

    /// Ends every session.
    pub fn recover_from_archive(&self) {
        self.server.recover_from_archive();
    }

    fn on(server: Arc<Server>) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Session::open(&server, "postgres").rows(&format!("CREATE DATABASE {name}"));
        let database = Database { server, name };
        let said = database
            .server
            .psql()
            .args(["-v", "ON_ERROR_STOP=1"])
            .args(["-d", &database.name, "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/SCHEMA.sql")])
            .output()
            .expect("psql runs");
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && words.is_empty(), "SCHEMA.sql loads without a word: {words}");
        database
    }

    /// As `create`, with partitions of ten events, and room for a hundred.
    pub fn with_small_partitions() -> Database {
        let database = Database::create();
        Session::open(&database.server, &database.name).rows(
            "DROP TABLE outbox_00000000000000000001; UPDATE store SET partition_events = 10; \
             SELECT FROM add_outbox_partitions(100)",
        );
        database
    }

    /// A connection that knows SCHEMA.sql's statements by their names, as prepared statements.
    pub fn session(&self) -> Session {
        let mut session = Session::open(&self.server, &self.name);
        for (name, sql) in statements() {
            session.rows(&format!("PREPARE {name} AS {sql}"));
        }
        session.rows("EXECUTE session('60s', '60s', '60s')");
        session
    }
}

/// The statements that SCHEMA.sql carries as comments, from "/* @name" to "*/".
pub fn statements() -> Vec<(String, String)> {
    let schema = include_str!("../../SCHEMA.sql");
    let found: Vec<_> = schema
        .split("\n/* @")
        .skip(1)
        .map(|rest| {
            let (body, _) = rest.split_once("*/").expect("the comment ends");
            let (name, sql) = body.split_once('\n').expect("a name, then the statement");
            (name.trim().to_owned(), sql.trim().to_owned())
        })
        .collect();
    assert!(!found.is_empty(), "SCHEMA.sql carries its statements");
    found
}

impl Session {
    fn open(server: &Server, database: &str) -> Session {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let stderr = server.dir().join(format!("psql.{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut psql = server
            .psql()
            .args(["-A", "-t", "-F", "|", "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).expect("a file for psql's words"))
            .spawn()
            .expect("psql runs");
        let stdout = BufReader::new(psql.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        let forward = move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("psql".into()).spawn(forward).expect("a thread");
        Session { psql, lines, stderr }
    }

    /// Sends a statement (its `;` is added) without waiting for its end.
    #[track_caller]
    pub fn send(&mut self, sql: &str) {
        let pipe = self.psql.stdin.as_mut().expect("an open session");
        writeln!(pipe, "{sql};\n\\echo '@end' :SQLSTATE :ROW_COUNT :LAST_ERROR_MESSAGE")
            .expect("psql takes the statement");
    }

    /// The end of the oldest statement that was sent and not yet waited for.
    #[track_caller]
    pub fn outcome(&mut self) -> Result<Rows, Refusal> {
        self.end().map(|(rows, _)| rows)
    }

    /// Its rows, and how many rows it changed.
    #[track_caller]
    fn end(&mut self) -> Result<(Rows, usize), Refusal> {
        let mut rows = Rows::new();
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|error| {
                panic!("psql: {error}: {}", std::fs::read_to_string(&self.stderr).unwrap_or_default())
            });
            let Some(end) = line.strip_prefix("@end ") else {
                rows.push(line.split('|').map(str::to_owned).collect());
                continue;
            };
            let mut end = end.splitn(3, ' ').map(str::to_owned);
            let mut next = || end.next().unwrap_or_default();
            let (sqlstate, count, message) = (next(), next(), next());
            if sqlstate == "00000" {
                return Ok((rows, count.parse().expect("a count of rows")));
            }
            return Err(Refusal { sqlstate, message });
        }
    }

    #[track_caller]
    pub fn run(&mut self, sql: &str) -> Result<Rows, Refusal> {
        self.send(sql);
        self.outcome()
    }

    /// Runs what must succeed.
    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Rows {
        self.run(sql).unwrap_or_else(|refusal| panic!("{refusal:?}: {sql}"))
    }

    /// Runs a query of one value.
    #[track_caller]
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!((rows.len(), rows.first().map(Vec::len)), (1, Some(1)), "one value: {rows:?}: {sql}");
        rows[0][0].clone()
    }

    /// Runs what must succeed; how many rows it changed.
    #[track_caller]
    pub fn changed(&mut self, sql: &str) -> usize {
        self.send(sql);
        self.outcome_changed()
    }

    /// As `outcome`, for a statement that must succeed: how many rows it changed.
    #[track_caller]
    pub fn outcome_changed(&mut self) -> usize {
        self.end().unwrap_or_else(|refusal| panic!("{refusal:?}")).1
    }

    /// Runs what must be refused, by the constraint (or other name) that its message carries.
    #[track_caller]
    pub fn refused(&mut self, sqlstate: &str, by: &str, sql: &str) {
        match self.run(sql) {
            Ok(rows) => panic!("not refused: {sql}: {rows:?}"),
            Err(refusal) => {
                assert!(refusal.sqlstate == sqlstate && refusal.message.contains(by), "{refusal:?} not {by}: {sql}");
            }
        }
    }

    /// The server's process for this connection.
    pub fn backend_pid(&mut self) -> String {
        self.value("SELECT pg_backend_pid()")
    }

    /// Ends the client as a crash would: no ROLLBACK, no farewell.
    pub fn kill9(mut self) {
        self.psql.kill().expect("psql is killed");
        self.psql.wait().expect("psql ends");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.psql.kill().ok();
        self.psql.wait().ok();
    }
}
