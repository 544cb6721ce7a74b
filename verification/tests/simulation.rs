//! The simulation keeps every promise, and sees everything that can go wrong.

use orderd_verification::pool;
use orderd_verification::sim::{SEEDS_FOR_ALL_MARKS, run_many};

use crate::sized;

#[test]
fn no_seed_breaks_a_promise_and_every_fault_comes_up() {
    let summary = run_many(0, sized(SEEDS_FOR_ALL_MARKS), pool::threads());
    println!("{summary}");
    if let Err(problem) = summary.verdict() {
        panic!("{problem}");
    }
    assert!(summary.repeated > 0, "no seed was run twice");
}
