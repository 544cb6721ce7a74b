//! Latency while checkpoints are written.

use super::checkpoint_start::fill_to_checkpoint;
use super::paced;
use crate::daemon::{Bench, Checkpoints, Settings, Store};
use crate::figures::{Figure, Figures, Made, Spread, as_f64};
use crate::shared::Shared;
use crate::targets;
use anyhow::{Context, Result, anyhow, ensure};
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
    /// Share of the time in which a checkpoint has to be written, or there is no figure
    #[arg(long, default_value_t = 0.5)]
    writing_min: f64,
}

/// Less than it takes to write one: the next begins when one ends.
const AT_ONCE: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Measures it.
pub fn checkpoint_p99(args: &CheckpointP99Args, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    fill_to_checkpoint(&store, "place", args.orders, &Settings::default())?;
    let (mut ratios, mut with_us, mut without_us, mut writing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let without = measure(&store, args, Checkpoints::Never)?;
        let with = measure(&store, args, Checkpoints::Every(AT_ONCE))?;
        ensure!(
            with.writing >= args.writing_min,
            "a checkpoint was written in only {:.0} % of the time",
            with.writing * 100.0
        );
        let (with_p99, without_p99) = (with.bench.latency_us.p99, without.bench.latency_us.p99);
        eprintln!(
            "round {round}: p99 {with_p99:.0} µs (max {:.0}) with checkpoints {:.0} % of the time, {without_p99:.0} µs (max {:.0}) without",
            with.bench.latency_us.max,
            with.writing * 100.0,
            without.bench.latency_us.max
        );
        ratios.push(with_p99 / without_p99);
        with_us.push(with_p99);
        without_us.push(without_p99);
        writing.push(with.writing);
    }
    let median = |samples: &[f64]| Spread::of(samples).map(|spread| spread.median).context("no round");
    let note = format!(
        "{} orders, {} commands/s: {:.0} µs against {:.0} µs; a checkpoint was being written {:.0} % of the time",
        targets::number(as_f64(args.orders)),
        targets::number(f64::from(args.rate)),
        median(&with_us)?,
        median(&without_us)?,
        median(&writing)? * 100.0
    );
    figures.add(&targets::CHECKPOINT_P99, Figure::of(&ratios, note, &made)?);
    Ok(())
}

struct Found {
    bench: Bench,
    /// Share of the time in which a checkpoint was being written.
    writing: f64,
}

fn measure(store: &Store, args: &CheckpointP99Args, checkpoints: Checkpoints) -> Result<Found> {
    let daemon = store.start(&Settings { checkpoints, ..Settings::default() })?;
    let (done, over) = std::sync::mpsc::channel::<()>();
    let found = std::thread::scope(|scope| -> Result<Found> {
        let watch = move || -> Result<f64> {
            let (mut looks, mut written) = (0.0, 0.0);
            while over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                looks += 1.0;
                written += if store.writes_checkpoint()? { 1.0 } else { 0.0 };
            }
            Ok(written / looks)
        };
        let watcher = std::thread::Builder::new().name("watch".to_owned()).spawn_scoped(scope, watch)?;
        let bench = paced(&daemon, args.rate, args.seconds);
        drop(done);
        let writing = watcher.join().map_err(|_| anyhow!("the watching thread panicked"))??;
        Ok(Found { bench: bench?, writing })
    })?;
    daemon.stop()?;
    Ok(found)
}
