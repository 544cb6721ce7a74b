//! `orderd sink list`

use std::path::Path;

use serde::Deserialize;

use crate::cli::client_args::ClientArgs;
use crate::cli::exit::Failure;
use crate::cli::order_view::read;
use crate::cli::params::Params;
use crate::cli::sink_view::{SinkView, sinks_table};

/// List the sinks; one that is no longer configured is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd sink list")]
pub struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Sinks {
    sinks: Vec<SinkView>,
}

pub(super) fn run(args: &ListArgs, config: Option<&Path>) -> Result<(), Failure> {
    args.client.show(config, "sink.list", &Params::default(), |result| {
        let Sinks { sinks } = read(result)?;
        Ok(if sinks.is_empty() { "no sinks".to_owned() } else { sinks_table(&sinks) })
    })
}
