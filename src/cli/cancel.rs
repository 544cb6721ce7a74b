//! `orderd cancel`

use std::path::Path;

use serde::Serialize;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::print_change;
use crate::domain::{CommandId, OrderId};

/// Cancel a placed or completed order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd cancel 01890a5d-ac96-774b-bcce-b302099a8057\n  \
    orderd cancel 01890a5d-ac96-774b-bcce-b302099a8057 --reason \"out of stock\"")]
pub struct CancelArgs {
    /// The order, a UUID
    order_id: OrderId,
    /// Why, in at most 500 characters
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Makes it safe to send the command again: the same id changes something only once
    #[arg(long, value_name = "UUID")]
    command_id: Option<CommandId>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Serialize)]
struct Params<'a> {
    order_id: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<CommandId>,
}

pub(super) fn run(args: &CancelArgs, config: Option<&Path>) -> Result<(), Failure> {
    // The daemon measures the reason: what is too long is its refusal, in its words.
    let params = Params { order_id: args.order_id, reason: args.reason.as_deref(), command_id: args.command_id };
    print_change(&args.client.call(config, "order.cancel", &params)?, args.client.json)
}
