//! `orderd place`

use std::path::Path;

use serde::Serialize;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::print_change;
use crate::domain::{Cents, CommandId, CustomerId, OrderId};

/// Place an order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd place --customer-id 7c9e6679-7425-40de-944b-e07fc1f90ae7 --total-amount 1250\n  \
    orderd place --customer-id 7c9e6679-7425-40de-944b-e07fc1f90ae7 --total-amount 1250 \\\n    \
    --command-id $(uuidgen) --json")]
pub struct PlaceArgs {
    /// The customer, a UUID
    #[arg(long, value_name = "UUID")]
    customer_id: CustomerId,
    /// The order's total, in cents
    #[arg(long, value_name = "CENTS", value_parser = cents)]
    total_amount: Cents,
    /// The order's id; without it the daemon makes one
    #[arg(long, value_name = "UUID")]
    order_id: Option<OrderId>,
    /// Makes it safe to send the command again: the same id changes something only once
    #[arg(long, value_name = "UUID")]
    command_id: Option<CommandId>,
    #[command(flatten)]
    client: ClientArgs,
}

fn cents(text: &str) -> Result<Cents, String> {
    let number = text.parse().map_err(|_| format!("a whole number of cents from 0 to {} is expected", Cents::MAX))?;
    Cents::new(number).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Params {
    customer_id: CustomerId,
    total_amount: Cents,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<CommandId>,
}

pub(super) fn run(args: &PlaceArgs, config: Option<&Path>) -> Result<(), Failure> {
    let params = Params {
        customer_id: args.customer_id,
        total_amount: args.total_amount,
        order_id: args.order_id,
        command_id: args.command_id,
    };
    print_change(&args.client.call(config, "order.place", &params)?, args.client.json)
}
