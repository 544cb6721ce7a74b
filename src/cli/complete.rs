//! `orderd complete`

use std::path::Path;

use serde::Serialize;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::print_change;
use crate::domain::{CommandId, OrderId};

/// Complete a placed order
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd complete 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct CompleteArgs {
    /// The order, a UUID
    order_id: OrderId,
    /// Makes it safe to send the command again: the same id changes something only once
    #[arg(long, value_name = "UUID")]
    command_id: Option<CommandId>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Serialize)]
struct Params {
    order_id: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<CommandId>,
}

pub(super) fn run(args: &CompleteArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params { order_id: args.order_id, command_id: args.command_id };
    print_change(&args.client.call(config, "order.complete", &params)?, args.client.json)
}
