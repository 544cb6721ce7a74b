//! The side-by-side run: every load on every system, by turns, several times over.

use crate::daemon::{Settings, Store};
use crate::disk::Disk;
use crate::figures::{Comparison, Figure, Figures, LeftBehind, Made, Series, Spread, as_f64};
use crate::shared::Shared;
use crate::systems::{Bench, Cell, Floor, Measured, Orderd, Postgres, Redis, Sqlite, System};
use crate::targets::{self, Goal};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// Measures orderd beside the floor, PostgreSQL, Redis and SQLite
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Rounds; the figures are medians over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of load before each measurement
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
    /// Commands for counting what they leave behind on the disk, in memory and for a restart (fewer for slow systems)
    #[arg(long, default_value_t = 2_000_000)]
    fill_commands: u64,
    /// Measure only systems whose name begins so, for work on the comparison itself
    #[arg(long)]
    only: Option<String>,
}

const CONNECTIONS: [u16; 4] = [1, 4, 16, 64];
const IN_FLIGHT: [u32; 2] = [1, 64];
const LONE: Cell = Cell { connections: 1, in_flight: 1 };
const MANY: Cell = Cell { connections: 64, in_flight: 1 };
const FULL: Cell = Cell { connections: 16, in_flight: 64 };

/// Runs it and adds its figures.
pub fn run(args: &RunArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let folder = tempfile::Builder::new().prefix("orderd-compare-").tempdir_in(&shared.dir)?;
    let bench = Bench {
        orderd: shared.orderd.clone(),
        folder: folder.path().to_owned(),
        disk: Disk::of(folder.path())?,
        warmup: Duration::from_secs_f64(args.warmup_seconds),
        time: Duration::from_secs_f64(args.seconds),
    };
    let mut systems: Vec<Box<dyn System>> = vec![
        Box::new(Orderd { sink: false }),
        Box::new(Orderd { sink: true }),
        Box::new(Floor),
        Box::new(Redis),
        Box::new(Postgres::new(folder.path())?),
        Box::new(Sqlite { group: 1 }),
        Box::new(Sqlite { group: 64 }),
    ];
    if let Some(prefix) = &args.only {
        systems.retain(|system| system.name().starts_with(prefix));
    }

    let series = rounds(&systems, &bench, usize::from(args.rounds))?;
    let footprint = footprint(&systems, &bench, &series, args.fill_commands)?;
    let (rounds, seconds) = (usize::from(args.rounds), args.seconds);
    let comparison = Comparison { made: made.clone(), rounds, seconds, series, footprint };
    if args.only.is_none() {
        compare(&comparison, figures)?;
        journal_bytes(&bench, &made, figures)?;
        figures.comparison = Some(comparison);
    }
    Ok(())
}

/// By round, then by load, then by system: so that what disturbs the machine for a while disturbs them all alike.
fn rounds(systems: &[Box<dyn System>], bench: &Bench, rounds: usize) -> Result<Vec<Series>> {
    let usual: Vec<_> = IN_FLIGHT
        .iter()
        .flat_map(|in_flight| CONNECTIONS.map(|connections| Cell { connections, in_flight: *in_flight }))
        .collect();
    let cells: BTreeSet<_> = systems.iter().flat_map(|system| system.cells(&usual)).collect();
    let mut series = Vec::<Series>::new();
    for round in 0..rounds {
        for cell in &cells {
            let takers: Vec<_> = systems.iter().filter(|system| system.cells(&usual).contains(cell)).collect();
            for turn in 0..takers.len() {
                let system = takers.get((turn + round) % takers.len()).context("a turn of nobody")?;
                let found = system
                    .measure(bench, *cell)
                    .with_context(|| format!("{} with {} × {}", system.name(), cell.connections, cell.in_flight))?;
                eprintln!(
                    "round {} of {rounds}  {:>2} × {:<2}  {:<20} {:>9.0} commands/s  p50 {:>8.0} µs  p99 {:>8.0} µs",
                    round + 1,
                    cell.connections,
                    cell.in_flight,
                    system.name(),
                    found.commands_per_second,
                    found.p50_us,
                    found.p99_us,
                );
                match series.iter_mut().find(|series| series.system == system.name() && series.cell == *cell) {
                    Some(series) => series.rounds.push(found),
                    None => series.push(Series { system: system.name().into(), cell: *cell, rounds: vec![found] }),
                }
            }
        }
    }
    Ok(series)
}

/// Each with the load that suits it best, and with no more commands than it takes in half a minute.
fn footprint(systems: &[Box<dyn System>], bench: &Bench, series: &[Series], most: u64) -> Result<Vec<LeftBehind>> {
    const SECONDS: f64 = 30.0;
    let mut found = Vec::new();
    for system in systems {
        let best = best_cell(series, system.name());
        let cell = if system.cells(&[FULL]) == [FULL] { Some(FULL) } else { best };
        let own = series.iter().find(|series| series.system == system.name() && Some(series.cell) == cell);
        let Some(own) = own else { continue };
        let mut commands = most;
        while as_f64(commands) > own.throughput() * SECONDS {
            commands /= 2;
        }
        let filled = system.fill(bench, own.cell, commands).with_context(|| format!("filling {}", system.name()))?;
        let orders = as_f64(commands) / 2.0;
        let left = LeftBehind {
            system: system.name().to_owned(),
            cell: own.cell,
            commands,
            disk_bytes_per_order: as_f64(filled.written_bytes) / orders,
            memory_bytes_per_order: filled.resident_bytes.map(|bytes| as_f64(bytes) / orders),
            recovered_per_second: filled.ready_after.map(|time| as_f64(commands) / time.as_secs_f64()),
            ready_after_ms: filled.ready_after.map(|time| time.as_secs_f64() * 1e3),
        };
        eprintln!("{left:?}");
        found.push(left);
    }
    Ok(found)
}

fn best_cell(series: &[Series], system: &str) -> Option<Cell> {
    let own = series.iter().filter(|series| series.system == system);
    own.max_by(|a, b| a.throughput().total_cmp(&b.throughput())).map(|series| series.cell)
}

impl Series {
    /// Median commands a second.
    pub fn throughput(&self) -> f64 {
        self.median(|round| round.commands_per_second)
    }

    /// The median over the rounds.
    pub fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        let samples: Vec<_> = self.rounds.iter().map(of).collect();
        Spread::of(&samples).map_or(0.0, |spread| spread.median)
    }
}

impl Comparison {
    /// One system's rounds under one load.
    pub fn find(&self, system: &str, cell: Cell) -> Option<&Series> {
        self.series.iter().find(|series| series.system == system && series.cell == cell)
    }

    /// One system's rounds under the load with its highest throughput.
    pub fn best(&self, system: &str) -> Option<&Series> {
        best_cell(&self.series, system).and_then(|cell| self.find(system, cell))
    }
}

/// The rows that are ratios: by round, then their median.
fn compare(comparison: &Comparison, figures: &mut Figures) -> Result<()> {
    type Of = fn(&Measured) -> f64;
    let throughput: Of = |round| round.commands_per_second;
    let p50: Of = |round| round.p50_us;
    let postgres = comparison.best("PostgreSQL").map_or(LONE, |best| best.cell);
    let rows: [(&Goal, Cell, &str, Cell, Of, String); 5] = [
        (&targets::LONE_P50, LONE, "floor", LONE, p50, String::new()),
        (&targets::MANY_FLOOR, MANY, "floor", MANY, throughput, String::new()),
        (&targets::FULL_FLOOR, FULL, "floor", FULL, throughput, String::new()),
        (
            &targets::FULL_POSTGRES,
            FULL,
            "PostgreSQL",
            postgres,
            throughput,
            format!("{} clients, ", postgres.connections),
        ),
        (&targets::FULL_REDIS, FULL, "Redis", FULL, throughput, String::new()),
    ];
    for (goal, cell, peer, peer_cell, of, note) in rows {
        let peer = comparison.find(peer, peer_cell).with_context(|| format!("{peer} was not measured"))?;
        let ratios = |system: &str| -> Result<Vec<f64>> {
            let own = comparison.find(system, cell).with_context(|| format!("{system} was not measured"))?;
            Ok(own.rounds.iter().zip(&peer.rounds).map(|(own, peer)| of(own) / of(peer)).collect())
        };
        let delivering = Spread::of(&ratios("orderd, delivering")?).context("no rounds")?;
        let note = format!("{note}{} × while delivering to a file", targets::number(delivering.median));
        figures.add(goal, Figure::of(&ratios("orderd")?, note, &comparison.made)?);
    }
    Ok(())
}

impl Figures {
    /// Keeps a figure and prints it.
    pub fn add(&mut self, goal: &Goal, figure: Figure) {
        println!("{}", figure.line(goal));
        self.figures.insert(goal.key.to_owned(), figure);
    }
}

/// From the journal's files after a clean stop: first only places, then places and completes.
fn journal_bytes(bench: &Bench, made: &Made, figures: &mut Figures) -> Result<()> {
    const PLANS: u64 = 200_000;
    let after = |mix: &str| -> Result<(f64, f64)> {
        let store = Store::new(&bench.orderd, &bench.folder)?;
        let daemon = store.start(&Settings::default())?;
        daemon.fill(mix, PLANS)?;
        let orders = daemon.number("/orders/count")?;
        daemon.stop()?;
        Ok((as_f64(orders), as_f64(store.journal_bytes()?)))
    };
    let (orders, bytes) = after("place")?;
    let place = bytes / orders;
    figures.add(&targets::PLACE_BYTES, Figure::of(&[place], "", made)?);
    let (orders, bytes) = after("place-complete")?;
    let complete = (bytes - orders * place) / (as_f64(PLANS) - orders);
    figures.add(&targets::COMPLETE_BYTES, Figure::of(&[complete], "", made)?);
    Ok(())
}
