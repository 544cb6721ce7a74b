//! The checkpoint of a clean stop.

use std::time::Duration;

use super::MaintenanceOptions;
use super::maintenance_test::{House, NEVER};

#[test]
fn a_stop_writes_a_checkpoint_if_a_start_would_redo_more_than_that_takes() {
    let a_minute = Duration::from_secs(60);
    let stop = |house: &mut House, time_max| house.keeper.checkpoint_at_stop(house.executor.store(), time_max);
    let mut house = House::new(MaintenanceOptions { stop_journal_bytes: 1000, ..NEVER });
    house.plan_times(1);
    assert!(house.written() < 1000 && !stop(&mut house, a_minute), "too little");
    house.plan_times(39);
    assert!(!stop(&mut house, Duration::ZERO), "no time");
    assert!(stop(&mut house, a_minute));
    assert_eq!(house.checkpoints(), [40]);
    assert!(!stop(&mut house, a_minute), "nothing has happened since");
    let (before, bytes) = (house.written(), house.keeper.metrics().bytes.get());
    assert!(bytes > 1000);
    loop {
        house.plan_times(1);
        let worth_it = house.written() - before >= bytes;
        assert_eq!(stop(&mut house, a_minute), worth_it);
        if worth_it {
            break;
        }
    }
}

#[test]
fn a_stop_gives_its_checkpoint_up_when_the_time_does_not_suffice_and_nothing_is_left_of_it() {
    // Each look at the clock takes a millisecond.
    for (time_ms, done) in [(1, false), (3, false), (60, true)] {
        let mut house = House::new(MaintenanceOptions { stop_journal_bytes: 1, ..NEVER });
        house.plan_times(30);
        house.clock.pass_when_read(Duration::from_millis(1));
        let time_max = Duration::from_millis(time_ms);
        assert_eq!(house.keeper.checkpoint_at_stop(house.executor.store(), time_max), done, "{time_ms} ms");
        let expected = if done { vec![30] } else { vec![] };
        assert_eq!(house.checkpoints(), expected);
        let unfinished = house.storage.memory.files().keys().filter(|path| path.contains(".ckpt.tmp")).count();
        assert_eq!(unfinished, 0, "{time_ms} ms");
    }
}
