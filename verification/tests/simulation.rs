//! The simulation keeps every promise, and sees everything that can go wrong.

use orderd_verification::campaign::Campaign;
use orderd_verification::sim::{Lives, SEEDS_FOR_ALL_MARKS};

use crate::sized;

#[test]
fn no_seed_breaks_a_promise_and_every_fault_comes_up() {
    let report = Campaign::of(0..sized(SEEDS_FOR_ALL_MARKS)).run(&Lives);
    println!("{report}");
    if let Err(problem) = report.verdict() {
        panic!("{problem}");
    }
    assert!(report.tally.repeated > 0, "no seed was run twice");
}
