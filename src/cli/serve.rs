//! `orderd serve`

use std::path::Path;

use rustix::fs::Mode;

use super::config_args::ConfigArgs;
use super::exit::Failure;
use crate::{app, logging};

/// Run the daemon in the foreground
///
/// Runs until SIGTERM or SIGINT: then it takes no new commands, answers those it has, saves its positions and exits 0.
/// SIGHUP reopens file sinks and reads the log level again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd serve                      with ./config.toml, if it is there\n  \
    orderd serve --config /etc/orderd/config.toml")]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &ServeArgs, config: Option<&Path>) -> Result<(), Failure> {
    let config = args.config.find(config)?;
    // Every file of ours says its mode; a process' umask may be so strict that it would take them from ourselves.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let log = logging::start(config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    app::serve(config, &log).map_err(|error| {
        // From here on standard error is the log, in the form that was asked for: the end is told there, and only there.
        tracing::error!("{error}");
        Failure { message: String::new(), ..error.into() }
    })
}
