//! PostgreSQL 15: an orders table and an outbox table, changed in one transaction by one prepared statement.
//!
//! It gets every advantage that keeps the promise: one round trip a command, no constraint but the keys, an outbox
//! number from a sequence (no lock between transactions), memory enough that nothing is evicted, no checkpoint during
//! a run, its own load generator in C. `fsync` and `synchronous_commit` stay on.

use super::{Bench, Cell, Filled, Measured, System};
use crate::process::{Server, run};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use orderd_load::Latency;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Postgres {
    folder: tempfile::TempDir,
    /// Whom to run as: `initdb` refuses root.
    user: Option<(u32, u32)>,
}

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const READY_MAX: Duration = Duration::from_secs(600);
const CLIENTS: [u16; 6] = [1, 4, 8, 16, 32, 64];
const CONFIG: &str = "
listen_addresses = ''
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
shared_buffers = 1GB
wal_buffers = 16MB
max_wal_size = 16GB
checkpoint_timeout = 30min
";
const SCHEMA: &str = "
DROP TABLE IF EXISTS orders, outbox;
CREATE TABLE orders (
    order_id uuid PRIMARY KEY, customer_id uuid NOT NULL, total_amount bigint NOT NULL, status text NOT NULL,
    version integer NOT NULL, placed_at timestamptz NOT NULL, completed_at timestamptz
);
CREATE TABLE outbox (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, type text NOT NULL,
    order_id uuid NOT NULL, order_version integer NOT NULL, occurred_at timestamptz NOT NULL, data json NOT NULL
);
CHECKPOINT;";
/// A client places an order, then completes it, by turns; every turn is one transaction and one line in the log.
const TURN: &str = r"
\if :placing
WITH o AS (
  INSERT INTO orders (order_id, customer_id, total_amount, status, version, placed_at)
  VALUES (gen_random_uuid(), gen_random_uuid(), 12345, 'placed', 1, now()) RETURNING *
), e AS (
  INSERT INTO outbox (event_id, type, order_id, order_version, occurred_at, data)
  SELECT gen_random_uuid(), 'OrderPlaced', order_id, version, placed_at,
    json_build_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount, 'placed_at', placed_at)
  FROM o
)
SELECT order_id AS placed_id FROM o \gset
\set placing false
\else
WITH o AS (
  UPDATE orders SET status = 'completed', version = version + 1, completed_at = now()
  WHERE order_id = CAST(:placed_id AS uuid) AND status = 'placed' RETURNING *
), e AS (
  INSERT INTO outbox (event_id, type, order_id, order_version, occurred_at, data)
  SELECT gen_random_uuid(), 'OrderCompleted', order_id, version, completed_at,
    json_build_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount, 'completed_at', completed_at)
  FROM o
)
SELECT order_id AS completed_id FROM o \gset
\set placing true
\endif
";

impl Postgres {
    /// Makes a cluster in `parent`; it serves all measurements.
    pub fn new(parent: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(parent)?;
        let user = if rustix::process::geteuid().is_root() { Some(debian_user("postgres")?) } else { None };
        if let Some((uid, gid)) = user {
            // Its user must get through the folders above, too.
            fs::set_permissions(parent, fs::Permissions::from_mode(0o711))?;
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let cluster = Self { folder, user };
        let data = cluster.data();
        let args = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"];
        run("initdb", cluster.command("initdb").args(args).arg(&data))?;
        let config = format!("{CONFIG}unix_socket_directories = '{}'\n", cluster.folder.path().display());
        fs::write(data.join("postgresql.auto.conf"), config)?;
        fs::write(cluster.script(), TURN)?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("turn.sql")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new(PROGRAMS).join(program));
        command.current_dir(self.folder.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn client(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.arg("-h").arg(self.folder.path()).args(["-U", "postgres"]);
        command
    }

    /// Starts the server with empty tables.
    fn start_empty(&self) -> Result<Server> {
        let server = self.start()?;
        run("psql", self.client("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", SCHEMA]))?;
        Ok(server)
    }

    fn start(&self) -> Result<Server> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        // SIGINT is its fast shutdown; SIGTERM would wait for clients.
        let mut server = Server::start("postgres", self.folder.path(), Signal::INT, &mut command)?;
        server.wait_ready(READY_MAX, || run("pg_isready", &mut self.client("pg_isready")).is_ok())?;
        Ok(server)
    }

    /// Runs the turns on this many clients; `end` is pgbench's `-T seconds` or `-t turns a client`.
    fn turns(&self, clients: u16, end: [&str; 2], log: Option<&Path>) -> Result<Turns> {
        let mut command = self.client("pgbench");
        command.args(["-n", "-M", "prepared", "-D", "placing=true", "-f"]).arg(self.script());
        command.args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()]).args(end);
        if let Some(log) = log {
            command.arg("-l").arg("--log-prefix").arg(log.join("turns"));
        }
        let printed = run("pgbench", command.arg("postgres"))?;
        let failed = printed.lines().find_map(|line| line.strip_prefix("number of failed transactions: "));
        ensure!(failed.is_none_or(|count| count.starts_with("0 ")), "turns failed: {printed}");
        let rate = printed.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|text| text.split(' ').next()).and_then(|number| number.parse().ok());
        Ok(Turns { per_second: rate.with_context(|| format!("pgbench printed {printed:?}"))? })
    }
}

struct Turns {
    per_second: f64,
}

impl System for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn cells(&self, _: &[Cell]) -> Vec<Cell> {
        CLIENTS.map(|connections| Cell { connections, in_flight: 1 }).to_vec()
    }

    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured> {
        let server = self.start_empty()?;
        let seconds = |time: Duration| time.as_secs().max(1).to_string();
        self.turns(cell.connections, ["-T", &seconds(bench.warmup)], None)?;
        let log = self.folder.path().join("log");
        fs::create_dir(&log)?;
        if let Some((uid, gid)) = self.user {
            chown(&log, Some(uid), Some(gid))?;
        }
        let turns = self.turns(cell.connections, ["-T", &seconds(bench.time)], Some(&log))?;
        server.stop()?;
        let latency = latency_of(&log)?;
        fs::remove_dir_all(&log)?;
        Ok(Measured { commands_per_second: turns.per_second, p50_us: latency.p50, p99_us: latency.p99 })
    }

    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled> {
        let server = self.start_empty()?;
        let written = bench.disk.written_bytes()?;
        let turns = (commands / u64::from(cell.connections)).to_string();
        self.turns(cell.connections, ["-t", &turns], None)?;
        // Its immediate shutdown is a crash: nothing is written, and the next start recovers.
        server.crash(Signal::QUIT)?;
        let start = Instant::now();
        let server = self.start()?;
        let ready_after = start.elapsed();
        server.stop()?;
        Ok(Filled {
            written_bytes: bench.disk.written_bytes()?.saturating_sub(written),
            resident_bytes: None,
            ready_after: Some(ready_after),
        })
    }
}

/// The third column of pgbench's logs is a turn's time in microseconds.
fn latency_of(folder: &Path) -> Result<Latency> {
    let mut latency_ns = Histogram::<u64>::new(3)?;
    for entry in fs::read_dir(folder)? {
        for line in fs::read_to_string(entry?.path())?.lines() {
            let time = line.split(' ').nth(2).and_then(|text| text.parse::<u64>().ok());
            latency_ns.record(time.with_context(|| format!("pgbench logged {line:?}"))?.saturating_mul(1_000))?;
        }
    }
    Ok(Latency::of_nanoseconds(&latency_ns))
}

fn debian_user(name: &str) -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let user = users.lines().find(|line| line.split(':').next() == Some(name));
    let mut fields = user.with_context(|| format!("no user {name}: apt-get install postgresql"))?.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).context("odd line in /etc/passwd");
    Ok((number()?, number()?))
}
