//! `orderd replay list`

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::client_args::ClientArgs;
use crate::cli::exit::Failure;
use crate::cli::order_view::read;
use crate::cli::params::Params;
use crate::cli::table::{or_dash, table};
use crate::cli::units::duration;

/// List the running replays and the last 100
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd replay list")]
pub struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Replays {
    replays: Vec<Replay>,
}

#[derive(Deserialize)]
struct Replay {
    replay_id: String,
    sink: String,
    state: String,
    delivered: u64,
    failed: u64,
    remaining: Option<u64>,
    eta_ms: Option<u64>,
}

pub(super) fn run(args: &ListArgs, config: Option<&Path>) -> Result<(), Failure> {
    args.client.show(config, "replay.list", &Params::default(), text)
}

fn text(result: &RawValue) -> Result<String, Failure> {
    let Replays { replays } = read(result)?;
    if replays.is_empty() {
        return Ok("no replays".to_owned());
    }
    let rows = replays.into_iter().map(|replay| {
        [
            replay.replay_id,
            replay.sink,
            replay.state,
            replay.delivered.to_string(),
            replay.failed.to_string(),
            or_dash(replay.remaining),
            or_dash(replay.eta_ms.map(duration)),
        ]
    });
    Ok(table(["REPLAY", "SINK", "STATE", "DELIVERED", "FAILED", "REMAINING", "ETA"], rows))
}
