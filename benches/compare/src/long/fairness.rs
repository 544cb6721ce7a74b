//! One client beside others that send as much as they may.

use crate::daemon::{Daemon, Settings, Store};
use crate::figures::{Figure, Figures, Made};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::{Context, Result, anyhow};
use std::time::Duration;

/// Sends one command at a time beside 16 connections with 1,024 in flight each, and these without it, by turns
#[derive(Debug, clap::Args)]
pub struct FairnessArgs {
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u32,
}

/// The flood has warmed up.
const FLOOD_COMMANDS: u64 = 100_000;
const FLOOD_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Measures it. The flood is more than the queue takes; a refused command of the one client is a failure.
pub fn fairness(args: &FairnessArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let (mut rates, mut p99_ms, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let alone = run(args, shared, false)?;
        let beside = run(args, shared, true)?;
        let (rate, p99) = beside.honest.context("nobody was beside the flood")?;
        eprintln!(
            "round {round}: {rate:.0}/s, p99 {p99:.1} ms; the flood {:.0}/s beside it, {:.0}/s alone",
            beside.flood, alone.flood
        );
        rates.push(rate);
        p99_ms.push(p99);
        kept.push(beside.flood / alone.flood);
    }
    figures.add(&targets::HONEST_RATE, Figure::of(&rates, "", &made)?);
    figures.add(&targets::HONEST_P99, Figure::of(&p99_ms, "", &made)?);
    figures.add(&targets::FLOOD_KEPT, Figure::of(&kept, "", &made)?);
    Ok(())
}

struct Found {
    /// Commands a second.
    flood: f64,
    /// Commands a second, and p99 in milliseconds.
    honest: Option<(f64, f64)>,
}

fn run(args: &FairnessArgs, shared: &Shared, beside: bool) -> Result<Found> {
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let daemon = store.start(&Settings::default())?;
    let (seconds, honest_seconds) = (args.seconds.saturating_add(2).to_string(), args.seconds.to_string());
    let found = std::thread::scope(|scope| -> Result<Found> {
        let honest = || -> Result<(f64, f64)> {
            wait::until("the flood is there", FLOOD_MAX, LOOK_EVERY, || {
                Ok((daemon.number("/commands_total")? >= FLOOD_COMMANDS).then_some(()))
            })?;
            one_at_a_time(&daemon, &honest_seconds)
        };
        let honest = beside
            .then(|| std::thread::Builder::new().name("honest".to_owned()).spawn_scoped(scope, honest))
            .transpose()?;
        let flood = daemon.flood(&["--connections", "16", "--in-flight", "1024", "--seconds", &seconds])?;
        let honest =
            honest.map(|thread| thread.join().map_err(|_| anyhow!("the honest client panicked"))?).transpose()?;
        Ok(Found { flood: flood.commands_per_second, honest })
    })?;
    daemon.kill()?;
    Ok(found)
}

fn one_at_a_time(daemon: &Daemon, seconds: &str) -> Result<(f64, f64)> {
    let args = ["--connections", "1", "--in-flight", "1", "--warmup-seconds", "0.2", "--seconds", seconds];
    let found = daemon.bench(&args)?;
    Ok((found.commands_per_second, found.latency_us.p99 / 1e3))
}
