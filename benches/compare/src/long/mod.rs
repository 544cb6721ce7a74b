//! Measurements of orderd alone that take minutes: one file a subcommand.

mod backup;
mod checkpoint_p99;
mod checkpoint_start;
mod connectors;
mod console;
mod delivering;
mod delivery;
mod drain;
mod endurance;
mod fairness;
mod memory;
mod recovery;
mod subscription;
mod turns;

pub use backup::{BackupArgs, backup};
pub use checkpoint_p99::{CheckpointP99Args, checkpoint_p99};
pub use checkpoint_start::{CheckpointStartArgs, checkpoint_start};
pub use connectors::{ConnectorsArgs, connectors};
pub use console::{ConsoleArgs, console};
pub use delivering::{DeliveringArgs, delivering};
pub use delivery::{DeliveryArgs, delivery};
pub use drain::{DrainArgs, drain};
pub use endurance::{EnduranceArgs, endurance};
pub use fairness::{FairnessArgs, fairness};
pub use memory::{MemoryArgs, memory};
pub use recovery::{RecoveryArgs, recovery};
pub use subscription::{SubscriptionArgs, subscription};

use crate::daemon::{Bench, Daemon, Settings, Store};
use crate::figures::as_f64;
use anyhow::Result;
use std::time::Duration;

/// Starts the store this many times and kills it each time, so that every start finds what the one before found.
fn starts(store: &Store, settings: &Settings, count: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for number in 1..=count {
        forget_cached_files();
        let daemon = store.start(settings)?;
        eprintln!("start {number} of {count}: ready after {:.3} s", daemon.ready_after.as_secs_f64());
        times.push(daemon.ready_after);
        daemon.kill()?;
    }
    Ok(times)
}

/// A restart after a power cut finds nothing in memory. Only root may do this; for others the figure is one of a warm
/// cache.
fn forget_cached_files() {
    rustix::fs::sync();
    if std::fs::write("/proc/sys/vm/drop_caches", "1").is_err() {
        eprintln!("not root: files stay cached, starts are faster than after a reboot");
    }
}

/// Fills a new store with commands; the caller says what for.
fn filled(daemon: &Daemon, mix: &str, commands: u64) -> Result<Bench> {
    eprintln!("filling: {commands} commands, {mix}");
    let bench = daemon.fill(mix, commands)?;
    eprintln!(
        "filled: {:.0} commands/s, p99 {:.1} ms, the load took {:.0} % of a processor",
        bench.commands_per_second,
        bench.latency_us.p99 / 1e3,
        bench.client_cpu * 100.0
    );
    Ok(bench)
}

/// Load at a fixed rate for a while, as the rows about p99 ask for.
fn paced(daemon: &Daemon, rate: u32, seconds: u32) -> Result<Bench> {
    let (rate, seconds) = (rate.to_string(), seconds.to_string());
    daemon.bench(&["--connections", "16", "--in-flight", "256", "--rate", &rate, "--seconds", &seconds])
}

fn mib(bytes: u64) -> f64 {
    as_f64(bytes) / (1024.0 * 1024.0)
}
