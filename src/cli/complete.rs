//! `orderd complete`

use std::path::Path;

use super::client_args::ClientArgs;
use super::command_args::CommandArgs;
use super::exit::Failure;
use super::order_view::change_text;
use super::params::Params;
use crate::domain::OrderId;

/// Complete a placed order
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd complete 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct CompleteArgs {
    /// The order, a UUID
    order_id: OrderId,
    #[command(flatten)]
    command: CommandArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &CompleteArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = args.command.add_to(Params::default().with("order_id", args.order_id));
    args.client.show(config, "order.complete", &params, change_text)
}
