//! Looks for each deliberate bug of the disk with the simulation, and says by which seed it was caught.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::bugs::{Bug, BugSearch};
use orderd_verification::campaign::Campaign;

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process("bugs [--bug NUMBER] [--seeds N] [--threads N] [--seconds N]");
    let seeds_max = arguments.number("--seeds").unwrap_or(5000);
    let bugs = arguments.number("--bug").map_or(0..Bug::ALL.len() as u64, |number| number..number.saturating_add(1));
    let campaign = Campaign::read(&mut arguments, bugs);
    arguments.finish();
    campaign.run(&BugSearch { seeds_max }).conclude()
}
