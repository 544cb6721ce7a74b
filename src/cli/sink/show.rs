//! `orderd sink show`

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::client_args::ClientArgs;
use crate::cli::exit::Failure;
use crate::cli::order_view::read;
use crate::cli::params::Params;
use crate::cli::sink_view::SinkView;
use crate::cli::table::{or_dash, table};

/// Show a sink and its last 100 failures
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd sink show billing")]
pub struct ShowArgs {
    /// The sink's name
    sink: String,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Shown {
    sink: SinkView,
    failures: Vec<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    at: String,
    sequence: Option<u64>,
    order_id: Option<String>,
    attempt: u64,
    outcome: String,
    reason: String,
}

pub(super) fn run(args: &ShowArgs, config: Option<&Path>) -> Result<(), Failure> {
    args.client.show(config, "sink.show", &Params::default().with("sink", &args.sink), text)
}

fn text(result: &RawValue) -> Result<String, Failure> {
    let Shown { sink, failures } = read(result)?;
    if failures.is_empty() {
        return Ok(format!("{}\n\nno failures", sink.text()));
    }
    let rows = failures.into_iter().map(|failure| {
        [
            failure.at,
            or_dash(failure.sequence),
            or_dash(failure.order_id),
            failure.attempt.to_string(),
            failure.outcome,
            failure.reason,
        ]
    });
    let failures = table(["FAILED AT", "SEQUENCE", "ORDER", "ATTEMPT", "OUTCOME", "REASON"], rows);
    Ok(format!("{}\n\n{failures}", sink.text()))
}
