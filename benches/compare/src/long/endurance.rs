//! The last million against the first.

use super::mib;
use crate::daemon::{Settings, Store};
use crate::figures::{Figure, Figures, Made, Spread, as_f64};
use crate::shared::Shared;
use crate::targets;
use anyhow::{Context, Result};

/// Writes many plans with checkpoints and retention running, and compares the last window's throughput with the first
#[derive(Debug, clap::Args)]
pub struct EnduranceArgs {
    #[arg(long, default_value_t = 20_000_000)]
    plans: u64,
    /// Runs without a sink; one more delivers to a file
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Plans a window
    #[arg(long, default_value_t = 1_000_000)]
    window: u64,
    /// Journal kept beyond need: small, so that retention has work
    #[arg(long, default_value_t = 256 * 1024 * 1024)]
    retain_bytes: u64,
}

/// Measures it.
pub fn endurance(args: &EnduranceArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let (mut ratios, mut note) = (Vec::new(), String::new());
    for _ in 0..args.rounds {
        let (ratio, of_round) = last_against_first(args, shared, false)?;
        ratios.push(ratio);
        note = of_round;
    }
    let (delivering, delivering_note) = last_against_first(args, shared, true)?;
    let note = format!("{note}<br>{delivering:.2} × while delivering to a file: {delivering_note}");
    figures.add(&targets::ENDURANCE, Figure::of(&ratios, note, &made)?);
    Ok(())
}

fn last_against_first(args: &EnduranceArgs, shared: &Shared, delivering: bool) -> Result<(f64, String)> {
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let mut settings = Settings { retain_bytes: Some(args.retain_bytes), ..Settings::default() };
    if delivering {
        settings = settings.with_sink("events", &store.folder().join("events.ndjson"), true);
    }
    let daemon = store.start(&settings)?;
    let window = args.window.to_string();
    let (mut rates, mut checkpoints, mut journal_most) = (Vec::new(), std::collections::BTreeSet::new(), 0);
    for number in 1..=args.plans / args.window {
        let bench = daemon.bench(&["--connections", "16", "--in-flight", "64", "--commands", &window])?;
        let journal = daemon.number("/journal/bytes")?;
        let lag = if delivering { daemon.number("/sinks/0/lag_events")? } else { 0 };
        checkpoints.insert(daemon.number("/journal/checkpoint_lsn")?);
        journal_most = journal_most.max(journal);
        eprintln!(
            "window {number}: {:.0} commands/s, p99 {:.1} ms; journal {:.0} MiB, {lag} events behind",
            bench.commands_per_second,
            bench.latency_us.p99 / 1e3,
            mib(journal)
        );
        rates.push(bench.commands_per_second);
    }
    daemon.kill()?;

    let (first, last) = (rates.first().context("no window")?, rates.last().context("no window")?);
    let all = Spread::of(&rates).context("no window")?;
    let note = format!(
        "{} plans: first {}/s, last {}/s, of all windows min {}/s, max {}/s; at least {} checkpoints seen; journal at most {:.0} MiB",
        targets::number(as_f64(args.plans)),
        targets::number(*first),
        targets::number(*last),
        targets::number(all.min),
        targets::number(all.max),
        checkpoints.len().saturating_sub(1),
        mib(journal_most)
    );
    Ok((last / first, note))
}
