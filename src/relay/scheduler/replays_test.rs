use std::time::Duration;

use uuid::Uuid;

use super::snapshot_test::{limits, order};
use super::*;

/// Both have more than fits into what may be in flight.
#[test]
fn a_replay_and_the_live_events_take_turns() {
    const NOW: Duration = Duration::from_millis(1);
    let limits = Limits { window_events_max: 100, ..limits() };
    let mut scheduler = Scheduler::new(limits, Stored { prefix: Sequence(50), ..Stored::default() }, NOW);
    let replay_id = Uuid::from_u128(1);
    scheduler.start_replay(replay_id, ReplayFigures::default(), Sequence(50), 1_000_000);
    scheduler.attach(2);
    let (mut live, mut replayed) = (0, 0);
    for _ in 0..20 {
        let last = scheduler.next_to_read().0;
        (0..scheduler.wanted() as u64).for_each(|number| scheduler.push(order(last + number), 10));
        let (next, wanted) = scheduler.replay_wanted(replay_id).unwrap();
        (0..wanted as u64).for_each(|number| scheduler.push_replay(replay_id, order(next.0 + number), 10, false));
        while let Some(out) = scheduler.next(NOW) {
            *(if out.stream == StreamId::Live { &mut live } else { &mut replayed }) += 1;
            scheduler.delivered(out.tag, NOW).unwrap();
            if live + replayed >= 20 {
                break;
            }
        }
    }
    assert!(live >= 9 && replayed >= 9, "{live} live events, {replayed} of the replay");
}
