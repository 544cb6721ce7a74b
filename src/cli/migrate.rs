//! `orderd migrate`

use std::path::{Path, PathBuf};

use super::config_args::ConfigArgs;
use super::exit::Failure;
use super::output::print;
use crate::app;

/// Bring a journal's store into PostgreSQL
///
/// Reads the store, which no daemon may hold, and changes nothing in it. The configuration is the one for PostgreSQL; its
/// database has the schema and nothing else. Sequences, event ids, LSNs, command ids, cursors and parked lanes are kept.
/// Everything is read back and compared at the end; before that no daemon starts on the database.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd migrate --to postgres                  daemon.data_dir into [store]\n  \
    orderd migrate --to postgres --data-dir /old  another folder's store\n\n\
    Killed at any moment, it goes on where it was when it is run again.")]
pub struct MigrateArgs {
    /// What is to keep the orders
    #[arg(long, value_name = "STORE")]
    to: Target,
    /// The journal's folder; else daemon.data_dir
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Target {
    /// PostgreSQL
    Postgres,
}

pub(super) fn run(args: &MigrateArgs, config: Option<&Path>) -> Result<(), Failure> {
    let config = args.config.find(config)?;
    let data_dir = args.data_dir.as_ref().unwrap_or(&config.daemon.data_dir);
    match args.to {
        Target::Postgres => print(&app::migrate_store(&config, data_dir)?),
    }
}
