//! A program that misbehaves and an operator at work lose nothing, and nothing overtakes.

use orderd_verification::delivery::{SEEDS_FOR_ALL_THINGS, run_many};
use orderd_verification::pool;

use crate::sized;

#[test]
fn no_seed_loses_an_event_and_all_misbehaviour_comes_up() {
    let summary = run_many(0, sized(SEEDS_FOR_ALL_THINGS), pool::threads());
    println!("{summary}");
    if let Err(problem) = summary.verdict() {
        panic!("{problem}");
    }
}
