//! `orderd place`

use std::path::Path;

use super::client_args::ClientArgs;
use super::command_args::CommandArgs;
use super::exit::Failure;
use super::order_view::change_text;
use super::params::Params;
use crate::domain::{Cents, CustomerId, OrderId};

/// Place an order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd place --customer-id 7c9e6679-7425-40de-944b-e07fc1f90ae7 \\\n    \
    --total-amount 1250\n  \
    orderd place --customer-id 7c9e6679-7425-40de-944b-e07fc1f90ae7 \\\n    \
    --total-amount 1250 --command-id $(uuidgen) --json")]
pub struct PlaceArgs {
    /// The customer, a UUID
    #[arg(long, value_name = "UUID")]
    customer_id: CustomerId,
    /// The order's total, in cents
    #[arg(long, value_name = "CENTS", value_parser = cents, allow_negative_numbers = true)]
    total_amount: Cents,
    /// The order's id; without it the daemon makes one
    #[arg(long, value_name = "UUID")]
    order_id: Option<OrderId>,
    #[command(flatten)]
    command: CommandArgs,
    #[command(flatten)]
    client: ClientArgs,
}

fn cents(text: &str) -> Result<Cents, String> {
    let number = text.parse().map_err(|_| format!("a whole number of cents from 0 to {} is expected", Cents::MAX))?;
    Cents::new(number).map_err(|error| error.to_string())
}

pub(super) fn run(args: &PlaceArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params::default()
        .with("customer_id", args.customer_id)
        .with("total_amount", args.total_amount)
        .with_some("order_id", args.order_id);
    args.client.show(config, "order.place", &args.command.add_to(params), change_text)
}
