//! `orderd replay start`

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::{BulkArgs, ReasonArgs};
use crate::cli::exit::Failure;
use crate::cli::params::{Param, Params};
use crate::cli::terminal::one_line;
use crate::domain::OrderId;

/// Start a replay; both ends are included
///
/// The sink gets the same bytes again, marked with the replay's id; its cursor stays where it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd replay start billing --from 1000 --to 2000 --dry-run\n  \
    orderd replay start billing --from 2026-05-01T00:00:00Z --to 2026-05-02T00:00:00Z \\\n    \
    --type OrderPlaced --reason 'lost by the warehouse'")]
pub struct StartArgs {
    /// The sink's name
    sink: String,
    /// The first event: a sequence, or a time such as 2026-05-01T00:00:00Z
    #[arg(long, value_name = "WHEN")]
    from: String,
    /// The last event: a sequence, or a time
    #[arg(long, value_name = "WHEN")]
    to: String,
    /// Only events of this type; may be given more than once
    #[arg(long = "type", value_name = "TYPE", value_parser = ["OrderPlaced", "OrderCompleted", "OrderCancelled"])]
    types: Vec<String>,
    /// Only this order's events
    #[arg(long, value_name = "UUID")]
    order_id: Option<OrderId>,
    /// Events per second at most; the daemon's default is 500
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate_events_per_s_max: Option<u32>,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    bulk: BulkArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// A number is a sequence; anything else is a time, which the daemon reads.
fn bound(text: &str) -> Param {
    text.parse().map_or_else(|_| Param::Text(text.to_owned()), Param::Integer)
}

pub(super) fn run(args: &StartArgs, config: Option<&Path>) -> Result<(), Failure> {
    let types = || (!args.types.is_empty()).then_some(args.types.as_slice());
    let params = |dry_run| {
        let params = Params::default()
            .with("sink", &args.sink)
            .with("from", bound(&args.from))
            .with("to", bound(&args.to))
            .with_some("types", types())
            .with_some("order_id", args.order_id)
            .with_some("rate_events_per_s_max", args.rate_events_per_s_max);
        args.reason.add_to(params).with_flag("dry_run", dry_run)
    };
    args.bulk.run(&args.client, config, "replay.start", params, |touched, dry_run| match &touched.replay_id {
        Some(id) if !dry_run => format!("replay {} started: {}", one_line(id), touched.text()),
        Some(_) | None => format!("would replay {}", touched.text()),
    })
}
