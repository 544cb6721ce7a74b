//! The systems that stand side by side. Each is started again for every measurement, alone on the machine.

mod baseline;
mod orderd;
mod postgres;
mod redis;
mod sqlite;

use crate::disk::Disk;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use baseline::Floor;
pub use orderd::Orderd;
pub use postgres::Postgres;
pub use redis::Redis;
pub use sqlite::Sqlite;

/// Where and how long to measure.
pub struct Bench {
    pub orderd: PathBuf,
    pub folder: PathBuf,
    pub disk: Disk,
    pub warmup: Duration,
    pub time: Duration,
}

/// One load: this many connections, this many commands in flight on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub connections: u16,
    pub in_flight: u32,
}

/// What one measurement found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    pub commands_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// What a number of commands leaves behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filled {
    /// Bytes written to the disk, from the start to the stop after the crash.
    pub written_bytes: u64,
    /// Resident memory, above that at the start; only for those that keep all orders in memory.
    pub resident_bytes: Option<u64>,
    /// From starting it after the crash until it answers.
    pub ready_after: Option<Duration>,
}

/// Something that keeps orders and their events durably.
///
/// One command is one place or one complete, half and half, each with the record of its event, atomic and durable before
/// it is answered.
pub trait System {
    /// What the tables and plots call it.
    fn name(&self) -> &'static str;

    /// The loads it is measured with.
    fn cells(&self, cells: &[Cell]) -> Vec<Cell>;

    /// Starts it empty, loads it for the time given and stops it.
    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured>;

    /// Starts it empty, sends exactly `commands` commands with this load, crashes it, starts it again and stops it.
    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled>;
}

/// A folder for one measurement.
fn scratch(bench: &Bench, name: &str) -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix(name).tempdir_in(&bench.folder)?)
}

/// The arguments of `orderd bench` for a cell.
pub fn load_args(bench: &Bench, cell: Cell) -> Vec<String> {
    let mut args = cell_args(cell);
    args.extend(["--warmup-seconds".into(), bench.warmup.as_secs_f64().to_string()]);
    args.extend(["--seconds".into(), bench.time.as_secs_f64().to_string()]);
    args
}

fn count_args(cell: Cell, commands: u64) -> Vec<String> {
    let mut args = cell_args(cell);
    args.extend(["--commands".into(), commands.to_string()]);
    args
}

fn cell_args(cell: Cell) -> Vec<String> {
    vec!["--connections".into(), cell.connections.to_string(), "--in-flight".into(), cell.in_flight.to_string()]
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// What `orderd bench` found, as the tables have it.
pub fn measured(bench: &crate::daemon::Bench) -> Measured {
    Measured {
        commands_per_second: bench.commands_per_second,
        p50_us: bench.latency_us.p50,
        p99_us: bench.latency_us.p99,
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("s")
}
