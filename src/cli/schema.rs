//! `orderd schema`

use std::path::Path;

use super::config_args::ConfigArgs;
use super::exit::Failure;
use super::output::print;
use crate::app;

/// Print the schema that PostgreSQL needs, or apply it
///
/// Only where PostgreSQL keeps the orders: [store] type = "postgres", in the package orderd-postgres.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd schema | psql -d orders       as the schema's owner\n  \
    orderd schema apply                  into the configured database, once it is empty")]
pub struct SchemaArgs {
    #[command(subcommand)]
    command: Option<SchemaCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum SchemaCommand {
    /// Create the schema in the configured database; twice does no harm
    #[command(after_help = "Example:\n  \
        orderd schema apply --config /etc/orderd/owner.toml\n\n\
        A schema that a newer version has made is refused (78).")]
    Apply(ConfigArgs),
}

pub(super) fn run(args: &SchemaArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.command {
        None => print(app::print_schema()?.trim_end()),
        Some(SchemaCommand::Apply(file)) => print(&app::apply_schema(&file.find(config)?)?),
    }
}
