//! Runs seeds of the delivery simulation.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::campaign::{Campaign, conclude};
use orderd_verification::delivery::{SinkLives, run};

const USAGE: &str = "delivery [--seeds N] [--from SEED] [--threads N] [--seconds N] | delivery --seed SEED";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let seed = arguments.number("--seed");
    let seeds = arguments.seeds(500);
    let campaign = Campaign::read(&mut arguments, seeds);
    arguments.finish();
    let Some(seed) = seed else { return campaign.run(&SinkLives).conclude() };
    let outcome = run(seed, true);
    outcome.log.iter().filter(|line| line.starts_with("--")).for_each(|line| println!("{line}"));
    conclude(&format!("seed {seed}: {} events\n", outcome.events), outcome.verdict)
}
