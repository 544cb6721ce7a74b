//! `orderd get`

use std::path::Path;

use serde::Deserialize;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::{OrderView, read};
use super::params::Params;
use crate::domain::OrderId;

/// Show an order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd get 01890a5d-ac96-774b-bcce-b302099a8057\n  \
    orderd get 01890a5d-ac96-774b-bcce-b302099a8057 --json")]
pub struct GetArgs {
    /// The order, a UUID
    order_id: OrderId,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Found {
    order: OrderView,
}

pub(super) fn run(args: &GetArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params::default().with("order_id", args.order_id);
    args.client.show(config, "order.get", &params, |result| Ok(read::<Found>(result)?.order.to_string()))
}
