//! SQLite: in this process, WAL, `synchronous=FULL`, one transaction for a group of commands.

use super::{Bench, Cell, Filled, Measured, System, scratch};
use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use orderd_load::{Latency, MadeUpOrder, OrderNames};
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant};

pub struct Sqlite {
    pub group: u32,
}

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE orders (
    order_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, total_amount INTEGER NOT NULL, status TEXT NOT NULL,
    version INTEGER NOT NULL, placed_at TEXT NOT NULL, completed_at TEXT
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY, type TEXT NOT NULL, order_id TEXT NOT NULL, order_version INTEGER NOT NULL,
    time TEXT NOT NULL, data TEXT NOT NULL
);";
const PLACE: &str = "
INSERT INTO orders (order_id, customer_id, total_amount, status, version, placed_at)
VALUES (?1, ?2, ?3, 'placed', 1, strftime('%Y-%m-%dT%H:%M:%fZ'))";
const PLACED: &str = "
INSERT INTO outbox (type, order_id, order_version, time, data)
SELECT 'OrderPlaced', order_id, version, placed_at,
       json_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount, 'placed_at', placed_at)
FROM orders WHERE order_id = ?1";
const COMPLETE: &str = "
UPDATE orders SET status = 'completed', version = version + 1, completed_at = strftime('%Y-%m-%dT%H:%M:%fZ')
WHERE order_id = ?1 AND status = 'placed'";
const COMPLETED: &str = "
INSERT INTO outbox (type, order_id, order_version, time, data)
SELECT 'OrderCompleted', order_id, version, completed_at,
       json_object('order_id', order_id, 'customer_id', customer_id, 'total_amount', total_amount, 'completed_at', completed_at)
FROM orders WHERE order_id = ?1";

/// What has run so far.
struct Run {
    connection: Connection,
    names: OrderNames,
    commands: u64,
    latency_ns: Histogram<u64>,
}

impl Run {
    fn open(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("orders.db"))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, names: OrderNames::fresh(), commands: 0, latency_ns: Histogram::new(3)? })
    }

    /// One transaction of `group` commands: place and complete by turns. All of them are answered by its commit.
    fn group(&mut self, group: u32) -> Result<()> {
        let start = Instant::now();
        let transaction = self.connection.unchecked_transaction()?;
        for _ in 0..group {
            let order = self.names.order(self.commands / 2);
            if self.commands.is_multiple_of(2) {
                place(&transaction, &order)?
            } else {
                complete(&transaction, &order)?
            }
            self.commands += 1;
        }
        transaction.commit()?;
        self.latency_ns.record_n(u64::try_from(start.elapsed().as_nanos())?, u64::from(group))?;
        Ok(())
    }

    fn for_time(&mut self, group: u32, time: Duration) -> Result<Duration> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.group(group)?;
        }
        Ok(start.elapsed())
    }
}

fn place(connection: &Connection, order: &MadeUpOrder) -> Result<()> {
    let (order_id, customer_id) = (text(order.order_id())?, text(order.customer_id())?);
    connection.prepare_cached(PLACE)?.execute(params![order_id, customer_id, order.total_amount().cast_signed()])?;
    changed_one(connection.prepare_cached(PLACED)?.execute([order_id])?)
}

fn complete(connection: &Connection, order: &MadeUpOrder) -> Result<()> {
    let order_id = text(order.order_id())?;
    changed_one(connection.prepare_cached(COMPLETE)?.execute([order_id])?)?;
    changed_one(connection.prepare_cached(COMPLETED)?.execute([order_id])?)
}

fn changed_one(rows: usize) -> Result<()> {
    ensure!(rows == 1, "{rows} rows changed where one should");
    Ok(())
}

fn text(id: &[u8]) -> Result<&str> {
    Ok(std::str::from_utf8(id)?)
}

impl System for Sqlite {
    fn name(&self) -> &'static str {
        if self.group == 1 { "SQLite" } else { "SQLite, groups of 64" }
    }

    fn cells(&self, _: &[Cell]) -> Vec<Cell> {
        vec![Cell { connections: 1, in_flight: self.group }]
    }

    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured> {
        let folder = scratch(bench, "sqlite-")?;
        let mut run = Run::open(folder.path())?;
        run.for_time(cell.in_flight, bench.warmup)?;
        run.latency_ns.reset();
        let before = run.commands;
        let took = run.for_time(cell.in_flight, bench.time)?;
        let latency = Latency::of_nanoseconds(&run.latency_ns);
        let commands = u32::try_from(run.commands - before)?;
        Ok(Measured {
            commands_per_second: f64::from(commands) / took.as_secs_f64(),
            p50_us: latency.p50,
            p99_us: latency.p99,
        })
    }

    /// It lives in this process, which does not crash.
    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled> {
        let folder = scratch(bench, "sqlite-")?;
        let mut run = Run::open(folder.path())?;
        let written = bench.disk.written_bytes()?;
        while run.commands < commands {
            run.group(cell.in_flight)?;
        }
        drop(run);
        let written_bytes = bench.disk.written_bytes()?.saturating_sub(written);
        Ok(Filled { written_bytes, ..Filled::default() })
    }
}
