//! Runs seeds of the delivery simulation.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::delivery::{run, run_many};
use orderd_verification::pool;
use orderd_verification::report::conclude;

fn main() -> ExitCode {
    let mut arguments =
        Arguments::of_process("delivery [--seeds N] [--from SEED] [--threads N] | delivery --seed SEED");
    let from = arguments.number("--from").unwrap_or(0);
    let seeds = arguments.number("--seeds").unwrap_or(500);
    let threads = arguments.number("--threads").and_then(|count| usize::try_from(count).ok());
    let seed = arguments.number("--seed");
    arguments.finish();
    if let Some(seed) = seed {
        let outcome = run(seed, true);
        outcome.log.iter().filter(|line| line.starts_with("--")).for_each(|line| println!("{line}"));
        return conclude(&format!("seed {seed}: {} events\n", outcome.events), outcome.verdict);
    }
    let summary = run_many(from, seeds, threads.unwrap_or_else(pool::threads));
    conclude(&summary, summary.verdict())
}
