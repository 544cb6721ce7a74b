//! A long outbox: delivering it, serving beside that, and starting with it.

use super::checkpoint_start::fill_to_checkpoint;
use super::{forget_cached_files, mib, paced};
use crate::daemon::{Checkpoints, Daemon, Settings, Store};
use crate::figures::{Figure, Figures, Made, Spread, as_f64};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Fills a journal with events that no sink has seen, then lets new sinks begin at its beginning
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Starts with everything undelivered, and as many with nothing
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// Commands a second beside the drain
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Seconds of each measurement of p99; the drain must last longer
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

const KEEP_ALL_BYTES: u64 = 60 << 30;
const DRAIN_MAX: Duration = Duration::from_secs(900);

/// Measures all four rows on one store.
pub fn drain(args: &DrainArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let mut outbox = Outbox { store: &store, sinks: 0 };
    fill_to_checkpoint(&store, "place-complete", args.events, &outbox.settings(Checkpoints::Never))?;

    starts(args, &mut outbox, &made, figures)?;
    idle(args, &mut outbox, &made, figures)?;
    busy(args, &mut outbox, &made, figures)
}

/// The store, and how many sinks have come and gone: a sink with a new name has no cursor, so everything is before it.
struct Outbox<'a> {
    store: &'a Store,
    sinks: usize,
}

impl Outbox<'_> {
    fn settings(&self, checkpoints: Checkpoints) -> Settings {
        Settings { checkpoints, retain_bytes: Some(KEEP_ALL_BYTES), ..Settings::default() }
    }

    /// Starts with a new sink and its file.
    fn start(&mut self, from_beginning: bool) -> Result<(Daemon, PathBuf)> {
        self.sinks += 1;
        let name = format!("events-{}", self.sinks);
        let path = self.store.folder().join(format!("{name}.ndjson"));
        forget_cached_files();
        let settings = self.settings(Checkpoints::Never).with_sink(&name, &path, from_beginning);
        Ok((self.store.start(&settings)?, path))
    }

    fn end(daemon: Daemon, path: &PathBuf) -> Result<()> {
        daemon.kill()?;
        fs::remove_file(path).with_context(|| format!("the sink has not made {}", path.display()))
    }
}

/// Time to `ready` with the whole outbox undelivered, and with nothing undelivered, by turns.
fn starts(args: &DrainArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let (mut more_ms, mut behind_ms) = (Vec::new(), Vec::new());
    for round in 1..=args.starts {
        let mut ready_ms = |from_beginning| -> Result<f64> {
            let (daemon, path) = outbox.start(from_beginning)?;
            let ready_ms = daemon.ready_after.as_secs_f64() * 1e3;
            wait::until("the sink makes its file", DRAIN_MAX, Duration::from_millis(1), || {
                Ok(path.exists().then_some(()))
            })?;
            Outbox::end(daemon, &path)?;
            Ok(ready_ms)
        };
        let (none, all) = (ready_ms(false)?, ready_ms(true)?);
        eprintln!("round {round}: ready after {all:.0} ms with all undelivered, {none:.0} ms with none");
        more_ms.push(all - none);
        behind_ms.push(all);
    }
    let median = Spread::of(&behind_ms).context("no round")?.median;
    let note = format!("{} events; ready after {median:.0} ms", targets::number(as_f64(args.events)));
    figures.add(&targets::BACKLOG_START, Figure::of(&more_ms, note, made)?);
    Ok(())
}

/// Events a second and memory, nothing else going on.
fn idle(args: &DrainArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let (mut rates, mut more_mib) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let (daemon, path) = outbox.start(false)?;
        let before = daemon.resident_bytes()?;
        Outbox::end(daemon, &path)?;

        let (daemon, path) = outbox.start(true)?;
        let (start, first) = (Instant::now(), daemon.number("/sinks/0/acked_sequence")?);
        let last = daemon.number("/outbox/last_sequence")?;
        let mut most = 0;
        wait::until("all events are delivered", DRAIN_MAX, Duration::from_millis(20), || {
            most = most.max(daemon.resident_bytes()?);
            Ok((daemon.number("/sinks/0/acked_sequence")? >= last).then_some(()))
        })?;
        let rate = as_f64(last - first) / start.elapsed().as_secs_f64();
        let bytes = fs::metadata(&path)?.len();
        Outbox::end(daemon, &path)?;
        let more = mib(most) - mib(before);
        eprintln!(
            "round {round}: {rate:.0} events/s, {:.0} MB/s; memory {:.0} MiB before, {:.0} MiB at most",
            as_f64(bytes) / 1e6 * rate / as_f64(last),
            mib(before),
            mib(most)
        );
        rates.push(rate);
        more_mib.push(more);
    }
    let note = format!("{} events", targets::number(as_f64(args.events)));
    figures.add(&targets::DRAIN, Figure::of(&rates, &note, made)?);
    figures.add(&targets::DRAIN_MEMORY, Figure::of(&more_mib, &note, made)?);
    Ok(())
}

/// p99 at a fixed rate, beside a drain and without one, by turns.
fn busy(args: &DrainArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let (mut ratios, mut beside_us, mut alone_us, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let (daemon, path) = outbox.start(false)?;
        let alone = paced(&daemon, args.rate, args.seconds)?.latency_us.p99;
        Outbox::end(daemon, &path)?;

        let (daemon, path) = outbox.start(true)?;
        let (start, first) = (Instant::now(), daemon.number("/sinks/0/acked_sequence")?);
        let beside = paced(&daemon, args.rate, args.seconds)?.latency_us.p99;
        let acked = daemon.number("/sinks/0/acked_sequence")?;
        let rate = as_f64(acked - first) / start.elapsed().as_secs_f64();
        ensure!(
            acked < args.events,
            "the drain was over before the measurement: take more --events or fewer --seconds"
        );
        Outbox::end(daemon, &path)?;
        eprintln!("round {round}: p99 {beside:.0} µs beside a drain of {rate:.0} events/s, {alone:.0} µs alone");
        ratios.push(beside / alone);
        beside_us.push(beside);
        alone_us.push(alone);
        rates.push(rate);
    }
    let median = |samples: &[f64]| Spread::of(samples).map(|spread| spread.median).context("no round");
    let note = format!(
        "{} commands/s: {:.0} µs against {:.0} µs; {} events/s drained meanwhile",
        targets::number(f64::from(args.rate)),
        median(&beside_us)?,
        median(&alone_us)?,
        targets::number(median(&rates)?)
    );
    figures.add(&targets::DRAIN_P99, Figure::of(&ratios, note, made)?);
    Ok(())
}
