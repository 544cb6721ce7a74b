//! Which configuration a command reads.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError};

/// The configuration, for the commands that look at one. It may be named before the command, too.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgs {
    /// The configuration; else $ORDERD_CONFIG, else ./config.toml, else /etc/orderd/config.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Finds and reads it; `before` is the file named before the command.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be.
    pub fn find(&self, before: Option<&Path>) -> Result<Config, ConfigError> {
        Config::find(self.config.as_deref().or(before))
    }
}
