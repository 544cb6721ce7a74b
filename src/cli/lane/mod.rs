//! `orderd lane`: orders whose events are parked at a sink.

mod list;
mod park;
mod requeue;
mod show;
mod skip;
mod view;

use std::path::Path;

use super::exit::Failure;

/// Show parked lanes, and requeue, skip or park them
///
/// A lane is the events of one order at one sink. A parked one waits, and with it everything later of its order, while
/// all other orders go on.
#[derive(Debug, clap::Args)]
pub struct LaneArgs {
    #[command(subcommand)]
    verb: LaneVerb,
}

#[derive(Debug, clap::Subcommand)]
enum LaneVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Requeue(requeue::RequeueArgs),
    Skip(skip::SkipArgs),
    Park(park::ParkArgs),
}

pub(super) fn run(args: &LaneArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.verb {
        LaneVerb::List(args) => list::run(args, config),
        LaneVerb::Show(args) => show::run(args, config),
        LaneVerb::Requeue(args) => requeue::run(args, config),
        LaneVerb::Skip(args) => skip::run(args, config),
        LaneVerb::Park(args) => park::run(args, config),
    }
}
