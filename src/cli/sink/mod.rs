//! `orderd sink`: the sinks, and what an operator can do with them.

mod list;
mod show;
mod skip_to;
mod switch;

use std::path::Path;

use super::exit::Failure;

/// Show sinks, and pause, resume, retry, skip or forget them
#[derive(Debug, clap::Args)]
pub struct SinkArgs {
    #[command(subcommand)]
    verb: SinkVerb,
}

#[derive(Debug, clap::Subcommand)]
enum SinkVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    /// Hand nothing out until it is resumed, also over restarts
    #[command(after_help = "Example:\n  orderd sink pause billing --reason 'maintenance until 14:00'")]
    Pause(switch::SwitchArgs),
    /// Go on after a pause, or after too much was parked
    #[command(after_help = "Example:\n  orderd sink resume billing")]
    Resume(switch::SwitchArgs),
    /// End every back-off now: try again at once
    #[command(after_help = "Example:\n  orderd sink retry billing")]
    Retry(switch::SwitchArgs),
    SkipTo(skip_to::SkipToArgs),
    /// Let a sink go that is no longer configured, with its cursor and parked lanes
    ///
    /// Until then it keeps the journal from its cursor on.
    #[command(after_help = "Example:\n  orderd sink forget old-billing --reason 'replaced by billing-2'")]
    Forget(switch::SwitchArgs),
}

pub(super) fn run(args: &SinkArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.verb {
        SinkVerb::List(args) => list::run(args, config),
        SinkVerb::Show(args) => show::run(args, config),
        SinkVerb::Pause(args) => switch::run(args, config, &switch::PAUSE),
        SinkVerb::Resume(args) => switch::run(args, config, &switch::RESUME),
        SinkVerb::Retry(args) => switch::run(args, config, &switch::RETRY),
        SinkVerb::SkipTo(args) => skip_to::run(args, config),
        SinkVerb::Forget(args) => switch::run(args, config, &switch::FORGET),
    }
}
