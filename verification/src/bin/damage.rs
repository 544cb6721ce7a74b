//! Damages a store in every place, one case after the other.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::campaign::{Campaign, conclude};
use orderd_verification::damage::{Cases, Chosen, Part, stores};

const USAGE: &str = "damage [--part N/M] [--threads N] [--seconds N] | damage --case K";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let case = arguments.number("--case");
    let part = arguments.part("--part").map_or(Part::ALL, |(number, of)| Part { number, of });
    let cases = match stores() {
        Ok(stores) => Cases::of(stores),
        Err(problem) => return conclude("", Err(problem)),
    };
    let campaign = Campaign::read(&mut arguments, 0..cases.count());
    arguments.finish();
    if let Some(case) = case {
        return one(&cases, case);
    }
    for store in &cases.stores {
        println!("a {} store: {} bytes in {} files", store.form, store.len(), store.files.len());
    }
    campaign.run(&Chosen::of(&cases, |case| part.holds(case.number))).conclude()
}

fn one(cases: &Cases, number: u64) -> ExitCode {
    let Some(case) = cases.get(number) else {
        return conclude("", Err(format!("there are {} cases", cases.count())));
    };
    match cases.run(&case) {
        Ok((found, what)) => conclude(&format!("case {number}: {what}: {found:?}\n"), Ok(())),
        Err(problem) => conclude("", Err(format!("case {number}: {problem}"))),
    }
}
