//! `orderd sink skip-to`

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::{BulkArgs, ReasonArgs};
use crate::cli::exit::Failure;
use crate::cli::params::{Param, Params};
use crate::cli::terminal::one_line;

/// Pass over events for good and go on with a later one
///
/// What is parked stays parked; what is in flight counts for nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd sink skip-to billing end --dry-run\n  \
    orderd sink skip-to billing 1000 --reason 'imported from the old system'")]
pub struct SkipToArgs {
    /// The sink's name
    sink: String,
    /// The sequence of the event to go on with, or end for what comes from now on
    #[arg(value_name = "SEQUENCE|end", value_parser = goal)]
    sequence: Goal,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    bulk: BulkArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Clone, Copy)]
enum Goal {
    Sequence(u64),
    End,
}

fn goal(text: &str) -> Result<Goal, String> {
    match text {
        "end" => Ok(Goal::End),
        number => {
            number.parse().map(Goal::Sequence).map_err(|_| "a sequence (a whole number) or end is expected".into())
        }
    }
}

pub(super) fn run(args: &SkipToArgs, config: Option<&Path>) -> Result<(), Failure> {
    let goal = || match args.sequence {
        Goal::Sequence(sequence) => Param::Integer(sequence),
        Goal::End => Param::Text("end".into()),
    };
    let params = |dry_run| {
        let params = Params::default().with("sink", &args.sink).with("sequence", goal());
        args.reason.add_always(params).with_flag("dry_run", dry_run)
    };
    args.bulk.run(&args.client, config, "sink.skip_to", params, |touched, dry_run| {
        let verb = if dry_run { "would pass over" } else { "passes over" };
        format!("sink {} {verb} {}", one_line(&args.sink), touched.text())
    })
}
