//! `orderd config`

use std::path::Path;

use super::exit::{Exit, Failure};
use super::output::print;
use crate::config::Config;

/// Look at the configuration
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Read the configuration and print it with the defaults filled in, or every error in it
    #[command(after_help = "Examples:\n  \
        orderd config check\n  \
        orderd config check --config /etc/orderd/config.toml > /dev/null && systemctl restart orderd\n\n\
        Exits 0 for a sound configuration and 78 for a wrong one.")]
    Check,
}

pub(super) fn run(args: &ConfigArgs, config: Option<&Path>) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Check => check(config),
    }
}

fn check(config: Option<&Path>) -> Result<(), Failure> {
    let config = Config::find(config)?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    let toml = config.to_toml().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    print(toml.trim_end())
}
