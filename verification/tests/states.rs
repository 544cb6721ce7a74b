//! Every crash state of the scripts keeps every promise, and bugs on purpose are seen by it.

use orderd_verification::bugs::Bug;
use orderd_verification::campaign::Campaign;
use orderd_verification::states::{Scripts, Size, caught};

use crate::sized;

const STATES: u64 = 100_000;

#[test]
fn no_crash_state_breaks_a_promise() {
    let report = Campaign::of(0..u64::MAX).run(&Scripts::new(sized(STATES), Size::SMALL));
    println!("{report}");
    if let Err(problem) = report.verdict() {
        panic!("{problem}");
    }
    assert!(report.tally.distinct >= sized(STATES), "{} states", report.tally.distinct);
    assert!(report.tally.second > 0, "no recovery was interrupted");
}

#[test]
fn bugs_between_the_daemon_and_its_disk_are_seen_in_the_crash_states() {
    const BUGS: [Bug; 12] = [
        Bug::NoSyncOfBatches,
        Bug::NoSyncOfNewSegments,
        Bug::NoWriteBack,
        Bug::NoSyncOfNewCursors,
        Bug::NoSyncOfCursors,
        Bug::NoSyncOfCheckpoints,
        Bug::NoSyncOfNewStores,
        Bug::NoDirSyncOfStoreName,
        Bug::NoDirSyncOfNewStores,
        Bug::NoDirSyncOfJournal,
        Bug::NoDirSyncOfCheckpoints,
        Bug::NoDirSyncOfCursors,
    ];
    let mut missed = Vec::new();
    for bug in BUGS {
        match caught(bug, 3) {
            Some((address, problem)) => println!("{bug:?}: {problem}\n  {address}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not seen: {missed:?}");
}
