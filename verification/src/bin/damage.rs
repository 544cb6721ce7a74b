//! Damages a store in every place, one case after the other.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::damage::{Cases, Part, run_many, stores};
use orderd_verification::pool;
use orderd_verification::report::conclude;

const USAGE: &str = "damage [--part N/M] [--threads N] | damage --case K";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let case = arguments.number("--case");
    let part = arguments.part("--part").map_or(Part::ALL, |(number, of)| Part { number, of });
    let threads = arguments.number("--threads").and_then(|count| usize::try_from(count).ok());
    arguments.finish();
    let cases = match stores() {
        Ok(stores) => Cases::of(stores),
        Err(problem) => {
            println!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    match case {
        Some(case) => one(&cases, case),
        None => many(&cases, part, threads.unwrap_or_else(pool::threads)),
    }
}

fn one(cases: &Cases, number: u64) -> ExitCode {
    let Some(case) = cases.get(number) else {
        println!("there are {} cases", cases.count());
        return ExitCode::FAILURE;
    };
    match cases.run(&case) {
        Ok((found, what)) => {
            println!("case {number}: {what}: {found:?}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("case {number}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn many(cases: &Cases, part: Part, threads: usize) -> ExitCode {
    for store in &cases.stores {
        println!("a {} store: {} bytes in {} files", store.form, store.len(), store.files.len());
    }
    let summary = run_many(cases, threads, |case| part.holds(case.number));
    conclude(&summary, summary.verdict())
}
