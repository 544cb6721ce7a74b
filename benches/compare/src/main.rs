//! orderd beside a floor, PostgreSQL, Redis and SQLite, and the long measurements of orderd alone.
//!
//! Every subcommand drives release binaries through their configuration and their sockets, prints its figures and, with
//! `--write`, keeps them in `docs/performance/figures.json`, from which the page's tables and plots are drawn.

mod baseline;
mod comparison;
mod consumer;
mod daemon;
mod disk;
mod figures;
mod long;
mod machine;
mod plot;
mod process;
mod report;
mod shared;
mod systems;
mod targets;
mod wait;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use shared::Shared;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "orderd-compare", about, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The daemon's release binary [default: orderd beside this program]
    #[arg(long, global = true)]
    orderd: Option<PathBuf>,
    /// Where temporary folders go; it must be on a disk [default: the system's temporary folder]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Keep the figures in docs/performance/ and draw its page and plots again
    #[arg(long, global = true)]
    write: bool,
    /// The folder with the page docs/performance.md
    #[arg(long, global = true, default_value = "docs")]
    docs: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(comparison::RunArgs),
    Recovery(long::RecoveryArgs),
    CheckpointStart(long::CheckpointStartArgs),
    Memory(long::MemoryArgs),
    Endurance(long::EnduranceArgs),
    CheckpointP99(long::CheckpointP99Args),
    Drain(long::DrainArgs),
    Delivery(long::DeliveryArgs),
    Delivering(long::DeliveringArgs),
    Fairness(long::FairnessArgs),
    Subscription(long::SubscriptionArgs),
    Connectors(long::ConnectorsArgs),
    Backup(long::BackupArgs),
    Console(long::ConsoleArgs),
    /// Draws the page and the plots from the figures that are there
    Page,
    #[command(hide = true)]
    Floor(baseline::FloorArgs),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let shared = shared(&cli.common)?;
    let folder = cli.common.docs.join("performance");
    let mut figures = figures::Figures::read(&folder)?;
    match &cli.command {
        Command::Floor(args) => return baseline::run(args),
        Command::Page => return report::write(&cli.common.docs, &figures),
        Command::Run(args) => comparison::run(args, &shared, &mut figures)?,
        Command::Recovery(args) => long::recovery(args, &shared, &mut figures)?,
        Command::CheckpointStart(args) => long::checkpoint_start(args, &shared, &mut figures)?,
        Command::Memory(args) => long::memory(args, &shared, &mut figures)?,
        Command::Endurance(args) => long::endurance(args, &shared, &mut figures)?,
        Command::CheckpointP99(args) => long::checkpoint_p99(args, &shared, &mut figures)?,
        Command::Drain(args) => long::drain(args, &shared, &mut figures)?,
        Command::Connectors(args) => long::connectors(args)?,
        Command::Delivering(args) => long::delivering(args, &shared, &mut figures)?,
        Command::Fairness(args) => long::fairness(args, &shared, &mut figures)?,
        Command::Subscription(args) => long::subscription(args, &shared, &mut figures)?,
        Command::Backup(args) => long::backup(args, &shared)?,
        Command::Console(args) => long::console(args, &shared)?,
        Command::Delivery(args) => long::delivery(args, &shared, &mut figures)?,
    }
    if cli.common.write {
        figures.write(&folder)?;
        report::write(&cli.common.docs, &figures)?;
    }
    Ok(())
}

fn shared(common: &Common) -> Result<Shared> {
    let orderd = match &common.orderd {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.parent().context("this program lies in no folder")?.join("orderd"),
    };
    Ok(Shared { orderd, dir: common.dir.clone().unwrap_or_else(std::env::temp_dir) })
}
