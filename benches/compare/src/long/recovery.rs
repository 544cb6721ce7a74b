//! Recovery from the journal alone.

use super::{filled, starts};
use crate::daemon::{Checkpoints, Settings, Store};
use crate::figures::{Figure, Figures, Made, as_f64};
use crate::shared::Shared;
use crate::targets;
use anyhow::Result;

/// Kills a daemon that has written many plans and no checkpoint, and times its starts
#[derive(Debug, clap::Args)]
pub struct RecoveryArgs {
    #[arg(long, default_value_t = 10_000_000)]
    plans: u64,
    #[arg(long, default_value_t = 5)]
    starts: usize,
}

/// Measures it.
pub fn recovery(args: &RecoveryArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let settings = Settings { checkpoints: Checkpoints::Never, ..Settings::default() };
    let daemon = store.start(&settings)?;
    filled(&daemon, "place-complete", args.plans)?;
    daemon.kill()?;

    let times = starts(&store, &settings, args.starts)?;
    let rates: Vec<_> = times.iter().map(|time| as_f64(args.plans) / time.as_secs_f64()).collect();
    let journal = as_f64(store.journal_bytes()?) / as_f64(args.plans);
    let note =
        format!("{} plans, {journal:.0} journal bytes each, files not cached", targets::number(as_f64(args.plans)));
    figures.add(&targets::RECOVERY, Figure::of(&rates, note, &made)?);
    Ok(())
}
