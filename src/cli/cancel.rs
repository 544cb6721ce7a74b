//! `orderd cancel`

use std::path::Path;

use super::client_args::ClientArgs;
use super::command_args::CommandArgs;
use super::exit::Failure;
use super::order_view::change_text;
use super::params::Params;
use crate::domain::OrderId;

/// Cancel a placed or completed order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd cancel 01890a5d-ac96-774b-bcce-b302099a8057\n  \
    orderd cancel 01890a5d-ac96-774b-bcce-b302099a8057 --reason \"out of stock\"")]
pub struct CancelArgs {
    /// The order, a UUID
    order_id: OrderId,
    /// Why, in at most 500 characters; told by the event and by orderd trace
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    #[command(flatten)]
    command: CommandArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &CancelArgs, config: Option<&Path>) -> Result<(), Failure> {
    // The daemon measures the reason: what is too long is its refusal, in its words.
    let params = Params::default().with("order_id", args.order_id).with_some("reason", args.reason.as_ref());
    args.client.show(config, "order.cancel", &args.command.add_to(params), change_text)
}
