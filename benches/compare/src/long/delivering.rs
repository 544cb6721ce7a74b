//! What a file sink costs those who send commands.

use crate::daemon::{Settings, Store};
use crate::disk::Disk;
use crate::figures::{Figure, Figures, Made, Spread};
use crate::shared::Shared;
use crate::systems::{Bench, Cell, Floor, Measured, Orderd, System, load_args, measured};
use crate::targets::{self, Goal};
use anyhow::{Context, Result};
use std::time::Duration;

/// Loads orderd with a file sink, without one and the floor, by turns
#[derive(Debug, clap::Args)]
pub struct DeliveringArgs {
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
}

const FULL: Cell = Cell { connections: 16, in_flight: 64 };
const MANY: Cell = Cell { connections: 64, in_flight: 1 };
const LONE: Cell = Cell { connections: 1, in_flight: 1 };

/// One turn of each.
struct Round {
    with: Measured,
    without: Measured,
    floor: Measured,
    /// Of the sink, when the load has ended.
    lag_ms: f64,
}

/// Measures it.
pub fn delivering(args: &DeliveringArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let bench = Bench {
        orderd: shared.orderd.clone(),
        folder: shared.dir.clone(),
        disk: Disk::of(&shared.dir)?,
        warmup: Duration::from_secs_f64(args.warmup_seconds),
        time: Duration::from_secs_f64(args.seconds),
    };
    let throughput = |of: fn(&Round) -> (Measured, Measured)| {
        move |round: &Round| {
            let (own, other) = of(round);
            own.commands_per_second / other.commands_per_second
        }
    };
    let p50 = |of: fn(&Round) -> (Measured, Measured)| {
        move |round: &Round| {
            let (own, other) = of(round);
            own.p50_us / other.p50_us
        }
    };
    let full = rounds(args, &bench, FULL)?;
    keep(figures, &targets::FULL_SINK, &full, &made, throughput(|round| (round.with, round.without)))?;
    keep(figures, &targets::FULL_SINK_FLOOR, &full, &made, throughput(|round| (round.with, round.floor)))?;
    let many = rounds(args, &bench, MANY)?;
    keep(figures, &targets::MANY_SINK, &many, &made, throughput(|round| (round.with, round.without)))?;
    let lone = rounds(args, &bench, LONE)?;
    keep(figures, &targets::LONE_SINK, &lone, &made, p50(|round| (round.with, round.without)))?;
    keep(figures, &targets::LONE_FLOOR, &lone, &made, p50(|round| (round.without, round.floor)))?;
    let all: Vec<_> = full.into_iter().chain(many).chain(lone).collect();
    keep(figures, &targets::SINK_LAG, &all, &made, |round| round.lag_ms / 1e3)
}

fn keep(figures: &mut Figures, goal: &Goal, rounds: &[Round], made: &Made, of: impl Fn(&Round) -> f64) -> Result<()> {
    let samples: Vec<_> = rounds.iter().map(of).collect();
    let median = |of: fn(&Round) -> f64| -> Result<String> {
        let samples: Vec<_> = rounds.iter().map(of).collect();
        Ok(targets::number(Spread::of(&samples).context("no round")?.median))
    };
    let note = format!(
        "commands/s: {} with a sink, {} without, floor {}",
        median(|round| round.with.commands_per_second)?,
        median(|round| round.without.commands_per_second)?,
        median(|round| round.floor.commands_per_second)?
    );
    figures.add(goal, Figure::of(&samples, note, made)?);
    Ok(())
}

/// Each round begins with another of the three.
fn rounds(args: &DeliveringArgs, bench: &Bench, cell: Cell) -> Result<Vec<Round>> {
    (0..args.rounds)
        .map(|number| {
            let (mut with, mut without, mut floor) = (None, None, None);
            for turn in 0..3 {
                match (number + turn) % 3 {
                    0 => with = Some(with_sink(bench, cell)?),
                    1 => without = Some(Orderd { sink: false }.measure(bench, cell)?),
                    _ => floor = Some(Floor.measure(bench, cell)?),
                }
            }
            let (with, lag_ms) = with.context("no turn with a sink")?;
            let (without, floor) = (without.context("no turn without")?, floor.context("no turn of the floor")?);
            eprintln!(
                "{} × {}, round {}: {:.0}/s with a sink (lag {lag_ms} ms), {:.0}/s without, floor {:.0}/s",
                cell.connections,
                cell.in_flight,
                number + 1,
                with.commands_per_second,
                without.commands_per_second,
                floor.commands_per_second
            );
            Ok(Round { with, without, floor, lag_ms })
        })
        .collect()
}

fn with_sink(bench: &Bench, cell: Cell) -> Result<(Measured, f64)> {
    let store = Store::new(&bench.orderd, &bench.folder)?;
    let settings = Settings::default().with_sink("events", &store.folder().join("events.ndjson"), true);
    let daemon = store.start(&settings)?;
    let args = load_args(bench, cell);
    let found = daemon.bench(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
    let lag_ms = crate::figures::as_f64(daemon.number("/sinks/0/lag_ms")?);
    daemon.kill()?;
    Ok((measured(&found), lag_ms))
}
