//! A program that misbehaves and an operator at work lose nothing, and nothing overtakes.

use orderd_verification::campaign::Campaign;
use orderd_verification::delivery::{SEEDS_FOR_ALL_THINGS, SinkLives};

use crate::sized;

#[test]
fn no_seed_loses_an_event_and_all_misbehaviour_comes_up() {
    let report = Campaign::of(0..sized(SEEDS_FOR_ALL_THINGS)).run(&SinkLives);
    println!("{report}");
    if let Err(problem) = report.verdict() {
        panic!("{problem}");
    }
}
