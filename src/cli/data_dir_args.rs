//! What commands that read a store take.

use std::path::{Path, PathBuf};

use super::config_args::ConfigArgs;
use super::exit::Failure;

/// Which store to read.
#[derive(Debug, Clone, clap::Args)]
pub struct DataDirArgs {
    /// The store's folder; else the one in the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl DataDirArgs {
    /// Finds the folder. The configuration is looked at only if it is not given.
    ///
    /// # Errors
    /// The configuration is needed and wrong.
    pub fn find(&self, config: Option<&Path>) -> Result<PathBuf, Failure> {
        match &self.data_dir {
            Some(data_dir) => Ok(data_dir.clone()),
            None => Ok(self.config.find(config)?.daemon.data_dir),
        }
    }
}
