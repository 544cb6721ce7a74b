//! `orderd lane skip`

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::ReasonArgs;
use crate::cli::exit::Failure;
use crate::cli::params::Params;
use crate::domain::OrderId;

/// Pass over the first event of a parked lane for good; the lane goes on after it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    orderd lane skip billing 01890a5d-ac96-774b-bcce-b302099a8057 42 \\\n    \
    --reason 'booked by hand'")]
pub struct SkipArgs {
    /// The sink's name
    sink: String,
    /// The order, a UUID
    order_id: OrderId,
    /// The lane's first event; named, so that no other is skipped by mistake
    sequence: u64,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &SkipArgs, config: Option<&Path>) -> Result<(), Failure> {
    let (order_id, sequence) = (args.order_id, args.sequence);
    let params = Params::default().with("sink", &args.sink).with("order_id", order_id).with("sequence", sequence);
    let text = format!("event {sequence} of order {order_id} is passed over");
    args.client.show(config, "lane.skip", &args.reason.add_always(params), |_| Ok(text))
}
