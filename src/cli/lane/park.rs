//! `orderd lane park`

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::ReasonArgs;
use crate::cli::exit::Failure;
use crate::cli::params::Params;
use crate::domain::OrderId;

/// Park an order's waiting events by hand, until they are requeued or skipped
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    orderd lane park billing 01890a5d-ac96-774b-bcce-b302099a8057 \\\n    \
    --reason 'customer data in question'")]
pub struct ParkArgs {
    /// The sink's name
    sink: String,
    /// The order, a UUID
    order_id: OrderId,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &ParkArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params::default().with("sink", &args.sink).with("order_id", args.order_id);
    let text = format!("the events of order {} are held", args.order_id);
    args.client.show(config, "lane.park", &args.reason.add_always(params), |_| Ok(text))
}
