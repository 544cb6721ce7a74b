//! Runs seeds of the simulation.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::campaign::{Campaign, conclude};
use orderd_verification::sim::{Lives, run};

const USAGE: &str = "sim [--seeds N] [--from SEED] [--threads N] [--seconds N] | sim --seed SEED [--trace]";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let (seed, trace) = (arguments.number("--seed"), arguments.flag("--trace"));
    let seeds = arguments.seeds(1000);
    let campaign = Campaign::read(&mut arguments, seeds);
    arguments.finish();
    let Some(seed) = seed else { return campaign.run(&Lives).conclude() };
    let outcome = run(seed, trace);
    outcome.log.iter().for_each(|line| println!("{line}"));
    let (commands, starts, trace) = (outcome.commands, outcome.starts, outcome.trace);
    conclude(&format!("seed {seed}: {commands} commands, {starts} starts, trace {trace:016x}\n"), outcome.verdict)
}
