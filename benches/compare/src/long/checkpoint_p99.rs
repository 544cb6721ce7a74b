//! Latency while checkpoints are written.

use super::checkpoint_start::fill_to_checkpoint;
use super::paced;
use crate::Shared;
use crate::daemon::{Bench, Checkpoints, Settings, Store};
use crate::figures::{Figure, Figures, Made, Spread};
use crate::goals;
use crate::side_by_side::as_f64;
use anyhow::{Context, Result, anyhow, ensure};
use std::collections::BTreeSet;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// Compares p99 at a fixed rate with checkpoints written one after the other and with none, by turns
#[derive(Debug, clap::Args)]
pub struct CheckpointP99Args {
    /// Orders in each checkpoint
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
    /// Plans between checkpoints: few, so that the next begins when one ends
    #[arg(long, default_value_t = 10_000)]
    every_plans: u64,
}

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Measures it.
pub fn checkpoint_p99(args: &CheckpointP99Args, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    fill_to_checkpoint(&store, args.orders)?;
    let (mut ratios, mut with_us, mut without_us, mut seen) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 1..=args.rounds {
        let without = measure(&store, args, Checkpoints::Never)?;
        let with = measure(&store, args, Checkpoints::EveryPlans(args.every_plans))?;
        ensure!(with.checkpoints > 0, "no checkpoint was finished in {} s", args.seconds);
        let (with_p99, without_p99) = (with.bench.latency_us.p99, without.bench.latency_us.p99);
        eprintln!(
            "round {round}: p99 {with_p99:.0} µs (max {:.0}) with checkpoints, {without_p99:.0} µs (max {:.0}) without",
            with.bench.latency_us.max, without.bench.latency_us.max
        );
        ratios.push(with_p99 / without_p99);
        with_us.push(with_p99);
        without_us.push(without_p99);
        seen += with.checkpoints;
    }
    let median = |samples: &[f64]| Spread::of(samples).map(|spread| spread.median).context("no round");
    let note = format!(
        "{} orders, {} commands/s: {:.0} µs against {:.0} µs; {seen} checkpoints written",
        goals::number(as_f64(args.orders)),
        goals::number(f64::from(args.rate)),
        median(&with_us)?,
        median(&without_us)?
    );
    figures.add(&goals::CHECKPOINT_P99, Figure::of(&ratios, note, &made)?);
    Ok(())
}

struct Found {
    bench: Bench,
    /// Checkpoints that were finished meanwhile.
    checkpoints: usize,
}

fn measure(store: &Store, args: &CheckpointP99Args, checkpoints: Checkpoints) -> Result<Found> {
    let daemon = store.start(&Settings { checkpoints, ..Settings::default() })?;
    let (done, over) = std::sync::mpsc::channel::<()>();
    let watched = &daemon;
    let found = std::thread::scope(|scope| -> Result<Found> {
        let watch = move || -> Result<usize> {
            let mut lsns = BTreeSet::from([watched.number("/journal/checkpoint_lsn")?]);
            while over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                lsns.insert(watched.number("/journal/checkpoint_lsn")?);
            }
            Ok(lsns.len() - 1)
        };
        let watcher = std::thread::Builder::new().name("watch".to_owned()).spawn_scoped(scope, watch)?;
        let bench = paced(&daemon, args.rate, args.seconds);
        drop(done);
        let checkpoints = watcher.join().map_err(|_| anyhow!("the watching thread panicked"))??;
        Ok(Found { bench: bench?, checkpoints })
    })?;
    daemon.stop()?;
    Ok(found)
}
