//! `orderd sink pause`, `resume`, `retry` and `forget`: one sink, one reason, nothing to answer.

use std::path::Path;

use crate::cli::client_args::ClientArgs;
use crate::cli::decision_args::ReasonArgs;
use crate::cli::exit::Failure;
use crate::cli::params::Params;
use crate::cli::terminal::one_line;

/// Which sink, and why
#[derive(Debug, clap::Args)]
pub struct SwitchArgs {
    /// The sink's name
    sink: String,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// A verb of this kind.
pub(super) struct Switch {
    method: &'static str,
    done: &'static str,
    needs_reason: bool,
}

pub(super) const PAUSE: Switch = Switch { method: "sink.pause", done: "is paused", needs_reason: false };
pub(super) const RESUME: Switch = Switch { method: "sink.resume", done: "goes on", needs_reason: false };
pub(super) const RETRY: Switch = Switch { method: "sink.retry", done: "tries again now", needs_reason: false };
pub(super) const FORGET: Switch = Switch { method: "sink.forget", done: "is forgotten", needs_reason: true };

pub(super) fn run(args: &SwitchArgs, config: Option<&Path>, switch: &Switch) -> Result<(), Failure> {
    let sink = Params::default().with("sink", &args.sink);
    let params = if switch.needs_reason { args.reason.add_always(sink) } else { args.reason.add_to(sink) };
    let text = format!("sink {} {}", one_line(&args.sink), switch.done);
    args.client.show(config, switch.method, &params, |_| Ok(text))
}
