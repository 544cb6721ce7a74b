//! Looks for each deliberate bug of the disk with the simulation, and says by which seed it was caught.

use std::process::ExitCode;
use std::time::Instant;

use orderd_verification::arguments::Arguments;
use orderd_verification::bugs::{Bug, hunt};

const USAGE: &str = "bugs [--seeds N]";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let seeds_max = arguments.number("--seeds").unwrap_or(5000);
    arguments.finish();
    let mut missed = 0;
    for bug in Bug::ALL {
        let begin = Instant::now();
        let caught = hunt(bug, seeds_max);
        let seconds = begin.elapsed().as_secs_f64();
        missed += u32::from(caught.is_none());
        match &caught {
            Some(caught) => println!("{bug:?}: seed {}, {seconds:.1} s: {}", caught.seed, caught.symptom),
            None => println!("{bug:?}: MISSED in {seeds_max} seeds, {seconds:.1} s"),
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
