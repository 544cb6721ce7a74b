//! What commands that read a store take.

use std::path::{Path, PathBuf};

use super::config_args::ConfigArgs;
use super::exit::{Exit, Failure};
use crate::config::{Config, StoreType};

/// Which store to read.
#[derive(Debug, Clone, clap::Args)]
pub struct DataDirArgs {
    /// The store's folder; else the one in the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// The journal's folder, where there is a journal.
///
/// # Errors
/// The orders are in PostgreSQL.
pub(super) fn journal_dir(config: Config) -> Result<PathBuf, Failure> {
    match config.store.store_type {
        StoreType::Journal => Ok(config.daemon.data_dir),
        StoreType::Postgres => Err(Failure::new(
            Exit::Config,
            "this command is the journal's alone, and the orders are in PostgreSQL (store.type): use its own tools",
        )),
    }
}

impl DataDirArgs {
    /// Finds the folder. The configuration is looked at only if it is not given.
    ///
    /// # Errors
    /// The configuration is needed and wrong.
    pub fn find(&self, config: Option<&Path>) -> Result<PathBuf, Failure> {
        match &self.data_dir {
            Some(data_dir) => Ok(data_dir.clone()),
            None => journal_dir(self.config.find(config)?),
        }
    }
}
