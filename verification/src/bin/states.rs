//! Goes through crash states.

use std::process::ExitCode;

use orderd_verification::arguments::Arguments;
use orderd_verification::bugs::Bug;
use orderd_verification::campaign::{Campaign, conclude};
use orderd_verification::states::{CaseId, Scripts, Size, replay};

const USAGE: &str = "states [--states N] [--threads N] [--seconds N] [--small] | states --scenario NAME [--variation V] \
                     [--point K --state M [--second-point K --second-state M]] [--bug NAME] [--small]";

fn main() -> ExitCode {
    let mut arguments = Arguments::of_process(USAGE);
    let small = arguments.flag("--small");
    let scenario = arguments.text("--scenario");
    let bug = arguments.text("--bug").map(|name| (Bug::by_name(&name), name));
    let mut number = |name| arguments.number(name).and_then(|number| usize::try_from(number).ok());
    let (point, state) = (number("--point"), number("--state"));
    let (second_point, second_state) = (number("--second-point"), number("--second-state"));
    let variation = arguments.number("--variation").unwrap_or(0);
    let states = arguments.number("--states").unwrap_or(100_000);
    let campaign = Campaign::read(&mut arguments, 0..u64::MAX);
    let Some(name) = scenario else {
        arguments.finish();
        return campaign.run(&Scripts::new(states, if small { Size::SMALL } else { Size::FULL })).conclude();
    };
    let Some(scenario) = CaseId::scenario_by_name(&name) else {
        arguments.refuse(&format!("unknown scenario {name}"));
    };
    if let Some((None, name)) = &bug {
        arguments.refuse(&format!("unknown bug {name}"));
    }
    arguments.finish();
    let bug = bug.and_then(|(bug, _)| bug);
    let second = second_point.map(|point| (point, second_state.unwrap_or(0)));
    let case = CaseId { scenario, variation, point, state: state.unwrap_or(0), second, small, bug };
    replay(case).map_or_else(|problem| conclude("", Err(problem)), |text| conclude(&format!("{text}\n"), Ok(())))
}
