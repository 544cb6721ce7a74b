//! Latency while backups are made.

use super::checkpoint_start::fill_to_checkpoint;
use super::turns::{Turns, table_head};
use super::{mib, paced};
use crate::Shared;
use crate::daemon::{Bench, Daemon, Settings, Store};
use crate::figures::{Spread, as_f64};
use crate::targets::number;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Compares p99 at a fixed rate while backups are made one after the other with p99 while none is, by turns
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// Orders in the store
    #[arg(long, default_value_t = 5_000_000)]
    orders: u64,
    /// Commands a second
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where backups go; on another file system they are copies, on the same one mostly links [default: beside the store]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Share of the time in which a backup has to be made, or there is no figure
    #[arg(long, default_value_t = 0.5)]
    making_min: f64,
}

/// What `orderd backup --json` prints, as far as it is used here.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Made {
    bytes: u64,
    linked_bytes: u64,
    cloned_bytes: u64,
    duration_ms: u64,
}

/// Measures it, and prints a table.
pub fn backup(args: &BackupArgs, shared: &Shared) -> Result<()> {
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let settings = Settings::default();
    fill_to_checkpoint(&store, "place", args.orders, &settings)?;
    let to = tempfile::Builder::new().prefix("orderd-backup-").tempdir_in(args.to.as_deref().unwrap_or(&shared.dir))?;
    let daemon = store.start(&settings)?;
    let (mut p50, mut p99) = (Turns::default(), Turns::default());
    let mut backups = Vec::new();
    for round in 1..=args.rounds {
        let without = paced(&daemon, args.rate, args.seconds)?;
        let (with, made, making) = beside_backups(&daemon, &store, shared, args, to.path())?;
        ensure!(making >= args.making_min, "a backup was made in only {:.0} % of the time", making * 100.0);
        eprintln!(
            "round {round}: p99 {:.0} µs beside {} backups ({:.0} % of the time), {:.0} µs without",
            with.latency_us.p99,
            made.len(),
            making * 100.0,
            without.latency_us.p99
        );
        p50.add(with.latency_us.p50 / 1e3, without.latency_us.p50 / 1e3);
        p99.add(with.latency_us.p99 / 1e3, without.latency_us.p99 / 1e3);
        backups.extend(made);
    }
    daemon.stop()?;
    println!("{} orders, {} commands/s\n", number(as_f64(args.orders)), number(f64::from(args.rate)));
    print!("{}{}{}", table_head("while backups are made"), p50.row("p50", "ms")?, p99.row("p99", "ms")?);
    println!("\n{}", describe(&backups)?);
    Ok(())
}

fn describe(backups: &[Made]) -> Result<String> {
    let of = |what: fn(&Made) -> f64| {
        Spread::of(&backups.iter().map(what).collect::<Vec<_>>()).context("no backup was finished")
    };
    let seconds = of(|made| as_f64(made.duration_ms) / 1e3)?;
    let bytes = of(|made| mib(made.bytes))?;
    let shared = of(|made| mib(made.linked_bytes.saturating_add(made.cloned_bytes)))?;
    Ok(format!(
        "{} backups: {:.1} s at the median ({:.1} to {:.1}), {:.0} MiB, of which {:.0} MiB share the store's blocks",
        backups.len(),
        seconds.median,
        seconds.min,
        seconds.max,
        bytes.median,
        shared.median
    ))
}

/// The load, what backups were made beside it, and the share of the time in which one was.
fn beside_backups(
    daemon: &Daemon,
    store: &Store,
    shared: &Shared,
    args: &BackupArgs,
    to: &Path,
) -> Result<(Bench, Vec<Made>, f64)> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = &over;
        let make = move || -> Result<(Vec<Made>, f64)> {
            let (began, mut making, mut made) = (Instant::now(), 0.0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                made.push(back_up(store, shared, &to.join("copy"))?);
                making += begin.elapsed().as_secs_f64();
                fs::remove_dir_all(to.join("copy"))?;
            }
            Ok((made, making / began.elapsed().as_secs_f64()))
        };
        let maker = std::thread::Builder::new().name("backups".to_owned()).spawn_scoped(scope, make)?;
        let bench = paced(daemon, args.rate, args.seconds);
        over.store(true, Ordering::Relaxed);
        let (made, making) = maker.join().map_err(|_| anyhow!("the thread that makes backups panicked"))??;
        Ok((bench?, made, making))
    })
}

fn back_up(store: &Store, shared: &Shared, dir: &Path) -> Result<Made> {
    let mut command = Command::new(&shared.orderd);
    command.arg("backup").arg(dir).arg("--config").arg(store.folder().join("config.toml")).arg("--json");
    let printed = crate::process::run("orderd backup", &mut command)?;
    serde_json::from_str(&printed).with_context(|| format!("orderd backup printed {printed:?}"))
}
