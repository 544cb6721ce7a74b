//! `orderd replay cancel`

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::ReasonArgs;
use crate::cli::exit::Failure;
use crate::cli::params::{Param, Params};

/// End a replay before its time; what it has delivered stays delivered
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd replay cancel 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct CancelArgs {
    /// The replay's id, a UUID
    replay_id: uuid::Uuid,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &CancelArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params::default().with("replay_id", Param::Text(args.replay_id.to_string()));
    let text = format!("replay {} is cancelled", args.replay_id);
    args.client.show(config, "replay.cancel", &args.reason.add_to(params), |_| Ok(text))
}
