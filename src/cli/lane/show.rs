//! `orderd lane show`

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::view::LaneView;
use crate::cli::client_args::ClientArgs;
use crate::cli::exit::Failure;
use crate::cli::order_view::read;
use crate::cli::params::Params;
use crate::cli::terminal::one_line;
use crate::domain::OrderId;

/// Show a parked lane with its events
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd lane show billing 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct ShowArgs {
    /// The sink's name
    sink: String,
    /// The order, a UUID
    order_id: OrderId,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Shown<'r> {
    lane: LaneView,
    #[serde(borrow)]
    events: Vec<&'r RawValue>,
}

pub(super) fn run(args: &ShowArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params::default().with("sink", &args.sink).with("order_id", args.order_id);
    args.client.show(config, "lane.show", &params, |result| {
        let Shown { lane, events } = read(result)?;
        let events: Vec<_> = events.iter().map(|event| one_line(event.get())).collect();
        Ok(format!("{}\n\n{}", lane.text(), events.join("\n")))
    })
}
