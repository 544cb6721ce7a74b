//! Runs seeds of the simulation.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::pool;
use orderd_verification::report::conclude;
use orderd_verification::sim::{run, run_many};

const USAGE: &str = "sim [--seeds N] [--from SEED] [--threads N] | sim --seed SEED [--trace]";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let (seed, trace) = (arguments.number("--seed"), arguments.flag("--trace"));
    let from = arguments.number("--from").unwrap_or(0);
    let seeds = arguments.number("--seeds").unwrap_or(1000);
    let threads = arguments.number("--threads").and_then(|count| usize::try_from(count).ok());
    arguments.finish();
    match seed {
        Some(seed) => one(seed, trace),
        None => many(from, seeds, threads.unwrap_or_else(pool::threads)),
    }
}

fn one(seed: u64, trace: bool) -> ExitCode {
    let outcome = run(seed, trace);
    for line in &outcome.log {
        println!("{line}");
    }
    println!("seed {seed}: {} commands, {} starts, trace {:016x}", outcome.commands, outcome.starts, outcome.trace);
    match outcome.verdict {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("seed {seed}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn many(from: u64, seeds: u64, threads: usize) -> ExitCode {
    let summary = run_many(from, seeds, threads);
    conclude(&summary, summary.verdict())
}
