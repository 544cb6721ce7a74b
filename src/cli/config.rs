//! `orderd config`

use std::path::Path;

use super::config_args::ConfigArgs as FileArgs;
use super::exit::{Exit, Failure};
use super::output::print;
use super::terminal::warn;

/// Look at the configuration
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Print the configuration with the defaults filled in, or every error in it
    #[command(after_help = "Examples:\n  \
        orderd config check\n  \
        orderd config check --config /etc/orderd/config.toml > /dev/null \\\n    \
        && systemctl restart orderd\n\n\
        Exits 0 for a sound configuration and 78 for a wrong one.")]
    Check(FileArgs),
}

pub(super) fn run(args: &ConfigArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Check(file) => check(file, config),
    }
}

fn check(file: &FileArgs, config: Option<&Path>) -> Result<(), Failure> {
    let config = file.find(config)?;
    for warning in config.warnings() {
        warn(&warning);
    }
    let toml = config.to_toml().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    print(toml.trim_end())
}
