//! `orderd lane list`

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::view::{FilterArgs, LaneView, lanes_table};
use crate::cli::client_args::ClientArgs;
use crate::cli::exit::Failure;
use crate::cli::order_view::read;
use crate::cli::params::Params;
use crate::cli::terminal::one_line;
use crate::domain::OrderId;

/// List a sink's parked lanes
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd lane list billing\n  \
    orderd lane list billing --state rejected --reason-contains 'unknown country'")]
pub struct ListArgs {
    /// The sink's name
    sink: String,
    #[command(flatten)]
    filter: FilterArgs,
    /// Go on after this order: the one that the last list named
    #[arg(long, value_name = "ORDER_ID")]
    after: Option<OrderId>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Lanes {
    lanes: Vec<LaneView>,
    next: Option<String>,
}

pub(super) fn run(args: &ListArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = args.filter.add_to(Params::default().with("sink", &args.sink)).with_some("after", args.after);
    args.client.show(config, "lane.list", &params, text)
}

fn text(result: &RawValue) -> Result<String, Failure> {
    let Lanes { lanes, next } = read(result)?;
    let mut text = if lanes.is_empty() { "no parked lanes".to_owned() } else { lanes_table(&lanes) };
    if let Some(next) = next {
        text.push_str(&format!("\n\nthere are more; go on with --after {}", one_line(&next)));
    }
    Ok(text)
}
