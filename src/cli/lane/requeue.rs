//! `orderd lane requeue`

use std::path::Path;

use super::view::FilterArgs;
use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::{BulkArgs, ReasonArgs};
use crate::cli::exit::Failure;
use crate::cli::params::Params;
use crate::cli::units::count;
use crate::domain::OrderId;

/// Hand a parked lane's events out again, in order, or those of all lanes that fit
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd lane requeue billing 01890a5d-ac96-774b-bcce-b302099a8057\n  \
    orderd lane requeue billing --all --state rejected --dry-run\n  \
    orderd lane requeue billing --all --reason 'fixed in release 7'")]
pub struct RequeueArgs {
    /// The sink's name
    sink: String,
    /// The order, a UUID
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    order_id: Option<OrderId>,
    /// All lanes that fit --state and --reason-contains, up to --limit
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    bulk: BulkArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &RequeueArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = |dry_run| {
        let params = Params::default().with("sink", &args.sink).with_some("order_id", args.order_id);
        let params = args.filter.add_to(params.with_flag("all", args.all));
        args.reason.add_to(params).with_flag("dry_run", dry_run)
    };
    args.bulk.run(&args.client, config, "lane.requeue", params, |touched, dry_run| {
        let verb = if dry_run { "would be handed" } else { "handed" };
        let lanes = count(touched.lanes.unwrap_or_default(), "lane");
        format!("{verb} out again: {lanes}, {}", touched.text())
    })
}
