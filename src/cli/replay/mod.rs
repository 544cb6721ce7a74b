//! `orderd replay`: a range of the journal, handed to one sink again.

mod cancel;
mod list;
mod start;

use std::path::Path;

use super::exit::Failure;

/// Hand a range of the retained journal to one sink again, beside the live events
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    #[command(subcommand)]
    verb: ReplayVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ReplayVerb {
    Start(start::StartArgs),
    List(list::ListArgs),
    Cancel(cancel::CancelArgs),
}

pub(super) fn run(args: &ReplayArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.verb {
        ReplayVerb::Start(args) => start::run(args, config),
        ReplayVerb::List(args) => list::run(args, config),
        ReplayVerb::Cancel(args) => cancel::run(args, config),
    }
}
