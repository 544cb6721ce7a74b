//! Start from a checkpoint.

use super::{filled, starts};
use crate::daemon::{Checkpoints, Settings, Store};
use crate::figures::{Figure, Figures, Made, as_f64};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::Result;
use std::time::Duration;

/// Kills a daemon with a checkpoint of many orders and a short journal behind it, and times its starts
#[derive(Debug, clap::Args)]
pub struct CheckpointStartArgs {
    #[arg(long, default_value_t = 5_000_000)]
    orders: u64,
    /// Plans behind the checkpoint
    #[arg(long, default_value_t = 50_000)]
    tail: u64,
    #[arg(long, default_value_t = 5)]
    starts: usize,
}

const CHECKPOINT_MAX: Duration = Duration::from_secs(600);

/// Measures it.
pub fn checkpoint_start(args: &CheckpointStartArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    fill_to_checkpoint(&store, "place", args.orders, &Settings::default())?;

    let quiet = Settings { checkpoints: Checkpoints::Never, ..Settings::default() };
    let daemon = store.start(&quiet)?;
    filled(&daemon, "place", args.tail)?;
    let behind = daemon.number("/journal/durable_lsn")? - daemon.number("/journal/checkpoint_lsn")?;
    daemon.kill()?;

    let times = starts(&store, &quiet, args.starts)?;
    let seconds: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
    let note = format!("{} orders, {behind} plans behind the checkpoint", targets::number(as_f64(args.orders)));
    figures.add(&targets::CHECKPOINT_START, Figure::of(&seconds, note, &made)?);
    Ok(())
}

/// Runs this many commands and leaves with a checkpoint that covers them all.
pub fn fill_to_checkpoint(store: &Store, mix: &str, commands: u64, settings: &Settings) -> Result<()> {
    let checkpoints = Checkpoints::Every(Duration::from_secs(5));
    let daemon = store.start(&Settings { checkpoints, ..settings.clone() })?;
    filled(&daemon, mix, commands)?;
    // A few more commands now and then: a checkpoint is written only if there is something new.
    wait::until("a checkpoint covers all of them", CHECKPOINT_MAX, Duration::from_millis(100), || {
        if daemon.number("/journal/checkpoint_lsn")? >= commands {
            return Ok(Some(()));
        }
        daemon.fill("place", 1_000)?;
        Ok(None)
    })?;
    daemon.stop()
}
