//! What verbs take that change delivery, and the question before many events are touched.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client_args::ClientArgs;
use super::exit::{Exit, Failure};
use super::order_view::read;
use super::params::Params;
use super::units::count;

/// Why a decision is made.
#[derive(Debug, clap::Args)]
pub struct ReasonArgs {
    /// Why; recorded in the journal with your uid
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
}

impl ReasonArgs {
    /// For methods that want a reason and get one, be it that there is none.
    const NONE: &str = "none given";

    /// Adds the reason, if one was given.
    pub(super) fn add_to(&self, params: Params) -> Params {
        params.with_some("reason", self.reason.as_ref())
    }

    /// Adds the reason to the params of a method that takes none without.
    pub(super) fn add_always(&self, params: Params) -> Params {
        params.with("reason", self.reason.as_deref().unwrap_or(Self::NONE))
    }
}

/// How to go about verbs that can touch many events at once.
#[derive(Debug, clap::Args)]
pub struct BulkArgs {
    /// Say how many events it would be, with the first and last sequence, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before more than 1,000 events are touched
    #[arg(long)]
    yes: bool,
}

/// Beyond this many events a person at a terminal is asked first.
const UNASKED_EVENTS_MAX: u64 = 1000;

/// Which events a verb touched, or would touch.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Touched {
    events: u64,
    first_sequence: Option<u64>,
    last_sequence: Option<u64>,
    pub(super) lanes: Option<u64>,
    pub(super) replay_id: Option<String>,
}

impl Touched {
    /// "3 events, sequence 4 to 9".
    pub(super) fn text(&self) -> String {
        let range = match (self.first_sequence, self.last_sequence) {
            (Some(first), Some(last)) => format!(", sequence {first} to {last}"),
            _ => String::new(),
        };
        format!("{}{range}", count(self.events, "event"))
    }
}

impl BulkArgs {
    /// Asks the daemon what it would be, where somebody may want to know it first; then does it and prints it.
    /// `text` says what was touched, or on a dry run would be.
    pub(super) fn run(
        &self,
        client: &ClientArgs,
        config: Option<&Path>,
        method: &str,
        params: impl Fn(bool) -> Params,
        text: impl FnOnce(&Touched, bool) -> String,
    ) -> Result<(), Failure> {
        let shown = |result: &RawValue| Ok(text(&read::<Touched>(result)?, self.dry_run));
        if !self.dry_run && !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal() {
            let would_be: Touched = read(&client.call(config, method, &params(true))?)?;
            if would_be.events > UNASKED_EVENTS_MAX && !confirmed(&would_be)? {
                return Err(Failure::new(Exit::Refused, "nothing was changed"));
            }
        }
        client.show(config, method, &params(self.dry_run), shown)
    }
}

fn confirmed(would_be: &Touched) -> Result<bool, Failure> {
    let failed = |error| Failure::io("cannot ask on the terminal", &error);
    let mut stderr = io::stderr();
    write!(stderr, "This touches {}. Go on? [y/N] ", would_be.text()).and_then(|()| stderr.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
