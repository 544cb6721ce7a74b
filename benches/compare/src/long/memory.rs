//! Memory by order.

use super::{filled, mib};
use crate::daemon::{Daemon, Settings, Store};
use crate::figures::{Figure, Figures, Made, as_f64};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::Result;
use std::time::Duration;

/// Places many orders (without command ids) and compares resident memory with an empty daemon's
#[derive(Debug, clap::Args)]
pub struct MemoryArgs {
    #[arg(long, default_value_t = 5_000_000)]
    orders: u64,
}

/// Measures it: after placing, and again after a restart.
pub fn memory(args: &MemoryArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let daemon = store.start(&Settings::default())?;
    let empty = settled(&daemon)?;
    filled(&daemon, "place", args.orders)?;
    let full = settled(&daemon)?;
    daemon.kill()?;
    let daemon = store.start(&Settings::default())?;
    let restarted = settled(&daemon)?;
    daemon.kill()?;

    let by_order = |bytes: u64| as_f64(bytes.saturating_sub(empty)) / as_f64(args.orders);
    let note = format!(
        "{} orders: {:.0} MiB, empty {:.0} MiB; {:.0} bytes an order after a restart",
        targets::number(as_f64(args.orders)),
        mib(full),
        mib(empty),
        by_order(restarted)
    );
    figures.add(&targets::ORDER_MEMORY, Figure::of(&[by_order(full)], note, &made)?);
    Ok(())
}

/// Resident memory once it has not changed for two seconds: buffers are returned, checkpoints written.
fn settled(daemon: &Daemon) -> Result<u64> {
    const STILL: usize = 20;
    let (mut last, mut same) = (0, 0);
    wait::until("resident memory settles", Duration::from_secs(120), Duration::from_millis(100), || {
        let now = daemon.resident_bytes()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        Ok((same >= STILL).then_some(now))
    })
}
