use std::io;

use super::*;
use crate::contracts::{Clock as _, FeedError, Lsn, ProgressError, Sequence, SinkError};
use crate::relay::lines::progress::LinesProgress;
use crate::relay::testing::{FakeSink, NoRows, Outbox, STORE_ID, event, lines, position, settings};
use crate::repo::{CursorFile, JournalPosition, ReplayCursors, lsn_of};
use crate::testkit::{SteppedClock, Watched};

const MS: Duration = Duration::from_millis(1);

/// Everything around a worker that outlives it.
#[derive(Default)]
struct World {
    storage: Watched,
    outbox: Outbox,
    sink: FakeSink,
    clock: SteppedClock,
}

impl World {
    fn with(durable: u64) -> Self {
        let world = Self::default();
        world.outbox.grow_to(durable);
        world
    }

    /// As the daemon starts it: with the cursor that is there, or a new one.
    fn start(&self) -> Worker {
        let cursor = match CursorFile::load(&self.storage, "events", STORE_ID).unwrap() {
            Some(cursor) => cursor,
            None => CursorFile::create(&self.storage, "events", STORE_ID, position(0)).unwrap(),
        };
        self.worker(&settings(), Box::new(self.sink.clone()), cursor)
    }

    fn worker(&self, settings: &WorkerSettings, sink: Box<dyn Sink>, cursor: CursorFile) -> Worker {
        let (history, clock) = (Arc::new(self.outbox.clone()), Arc::new(self.clock.clone()));
        let replays = Arc::new(ReplayCursors {
            history: Arc::new(self.outbox.clone()),
            storage: Arc::new(self.storage.clone()),
            store_id: STORE_ID,
            needs: Arc::default(),
        });
        let (decide, _) = crossbeam_channel::bounded(1);
        let ports = WorkerPorts { history, rows: Arc::new(NoRows), clock, decide, uid: 0, replays };
        Worker::new(settings, ports, sink, Box::new(cursor), None)
    }

    fn saved(&self) -> u64 {
        CursorFile::inspect(&self.storage, "events", STORE_ID).unwrap().unwrap().sequence.0
    }

    /// What the sink took, in the order in which it did.
    fn taken(&self) -> Vec<u8> {
        self.sink.offers().into_iter().filter(|offer| offer.taken).flat_map(|offer| offer.lines).collect()
    }

    /// The events that were offered last, as first and last number, and whether the sink took them.
    fn last_offer(&self) -> (u64, u64, bool) {
        self.sink.offers().last().map(|offer| (offer.first, offer.last, offer.taken)).unwrap()
    }

    /// The syncs of the cursor's file since this was asked last.
    fn saves(&self) -> usize {
        self.storage.calls_of("sync ").len()
    }
}

/// Steps until there is nothing to do but wait.
fn settle(worker: &mut Worker) -> Step {
    loop {
        match worker.step().unwrap() {
            Step::Delivered => {}
            settled @ (Step::Idle | Step::CursorDue(_) | Step::Retry(_)) => return settled,
        }
    }
}

#[test]
fn every_durable_event_reaches_the_sink_once_and_in_order() {
    let world = World::with(95);
    let mut worker = world.start();
    settle(&mut worker);
    assert_eq!(world.taken(), lines(1, 95));
    world.outbox.grow_to(96);
    settle(&mut worker);
    assert_eq!(world.taken(), lines(1, 96));
    assert!(world.sink.offers().iter().all(|offer| offer.last - offer.first < 10));
}

#[test]
fn a_batch_keeps_to_its_bytes_but_holds_one_event_at_least() {
    for (bytes_max, events_max) in [(1, 1), (2 * crate::relay::cloud_event::BYTES_MAX, 100)] {
        let world = World::with(200);
        let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
        let settings = WorkerSettings { batch_bytes_max: bytes_max, batch_events_max: 1000, ..settings() };
        settle(&mut world.worker(&settings, Box::new(world.sink.clone()), cursor));
        assert_eq!(world.taken(), lines(1, 200));
        for offer in world.sink.offers() {
            assert!(offer.lines.len() <= bytes_max || offer.first == offer.last, "{} bytes", offer.lines.len());
            assert!(offer.last - offer.first < events_max);
        }
    }
}

#[test]
fn a_batch_that_is_offered_again_is_the_same_to_the_byte() {
    let world = World::with(5);
    let mut worker = world.start();
    world.sink.fail_next(7);
    for _ in 0..7 {
        let Step::Retry(at) = settle(&mut worker) else { panic!("the sink fails") };
        // More becomes durable meanwhile, and does not get into the batch.
        world.outbox.grow_to(9);
        world.clock.advance(at - world.clock.monotonic());
    }
    settle(&mut worker);
    let offers = world.sink.offers();
    assert_eq!(offers.len(), 9);
    assert!(offers[..8].iter().all(|offer| offer.lines == lines(1, 5)));
    assert_eq!(world.taken(), lines(1, 9));
}

#[test]
fn the_cursor_never_passes_what_the_sink_acknowledged() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::default();
        let mut worker = world.start();
        for step in 0..300 {
            world.outbox.grow_to(step * random.u64(1..4));
            if random.u8(..4) == 0 {
                world.sink.fail_next(random.u64(1..3));
            }
            if random.u8(..20) == 0 {
                worker = world.start();
            }
            world.clock.advance(MS * random.u32(..300));
            worker.step().unwrap();
            let (saved, acknowledged) = (world.saved(), world.sink.acknowledged());
            assert!(saved <= acknowledged, "seed {seed}, step {step}: saved {saved}, acknowledged {acknowledged}");
            assert_eq!(worker.monitor().read().acked_sequence.0, worker.live.progress.position().sequence.0);
        }
    }
}

#[test]
fn a_crash_between_delivery_and_save_repeats_no_more_than_promised() {
    for seed in 0..50 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::default();
        let mut worker = world.start();
        let mut durable = 0;
        for _ in 0..40 {
            durable += random.u64(..30);
            world.outbox.grow_to(durable);
            for _ in 0..random.u32(..5) {
                worker.step().unwrap();
            }
            let before = world.sink.acknowledged();
            let saved = world.saved();
            // At most the batch that was in flight and what the cursor may leave out.
            assert!(before - saved < 20, "seed {seed}: {before} acknowledged and {saved} saved");
            worker = world.start();
            if worker.step().unwrap() == Step::Delivered {
                let (first, ..) = world.last_offer();
                assert_eq!(first, saved + 1, "seed {seed}");
            }
        }
        settle(&mut worker);
        let mut seen = 0;
        for offer in world.sink.offers() {
            assert!(offer.first <= seen + 1, "seed {seed}: a gap after {seen}");
            assert_eq!(offer.lines, lines(offer.first, offer.last), "seed {seed}");
            seen = seen.max(offer.last);
        }
        assert_eq!(seen, durable);
    }
}

#[test]
fn the_cursor_is_saved_after_so_many_events_or_so_much_time() {
    let world = World::with(10);
    let mut worker = world.start();
    assert_eq!(settle(&mut worker), Step::CursorDue(100 * MS));
    assert_eq!(world.saved(), 0);
    world.outbox.grow_to(19);
    settle(&mut worker);
    assert_eq!(world.saved(), 0, "19 events");
    world.outbox.grow_to(20);
    assert_eq!(settle(&mut worker), Step::Idle);
    assert_eq!(world.saved(), 20, "20 events");
    world.outbox.grow_to(21);
    assert_eq!(settle(&mut worker), Step::CursorDue(100 * MS));
    world.clock.advance(99 * MS);
    world.outbox.grow_to(22);
    assert_eq!(settle(&mut worker), Step::CursorDue(100 * MS), "counted from the first event that is not saved");
    assert_eq!(world.saved(), 20);
    world.clock.advance(MS);
    assert_eq!(settle(&mut worker), Step::Idle);
    assert_eq!(world.saved(), 22);
}

#[test]
fn a_failing_sink_does_not_keep_the_cursor_from_being_saved() {
    let world = World::with(10);
    let mut worker = world.start();
    settle(&mut worker);
    world.outbox.grow_to(11);
    world.sink.fail_next(u64::MAX);
    assert!(matches!(settle(&mut worker), Step::Retry(at) if at <= 100 * MS));
    world.clock.advance(100 * MS);
    worker.step().unwrap();
    assert_eq!(world.saved(), 10);
}

#[test]
fn an_idle_worker_writes_nothing() {
    let world = World::with(20);
    let mut worker = world.start();
    settle(&mut worker);
    assert!(world.saves() > 0);
    for _ in 0..10 {
        world.clock.advance(1000 * MS);
        assert_eq!(worker.step().unwrap(), Step::Idle);
    }
    assert_eq!(world.saves(), 0);
    worker.save().unwrap();
    assert_eq!(world.saves(), 0);
}

#[test]
fn a_sink_at_rest_keeps_no_segment_that_it_has_passed() {
    let in_segment = |sequence: u64, base: u64| {
        FeedPosition::from(JournalPosition { segment: Lsn(base), ..position(sequence).into() })
    };
    let world = World::default();
    let cursor = CursorFile::create(&world.storage, "events", STORE_ID, in_segment(2, 1)).unwrap();
    let needed = cursor.saved();
    let mut progress = LinesProgress::new(Box::new(cursor), &settings());
    // One plan further, and in the next segment: the older slot alone keeps the one before.
    progress.advance(in_segment(4, 2), 2, Duration::ZERO);
    progress.save(Duration::ZERO).unwrap();
    assert_eq!(needed.lsn(), Lsn(1), "the older slot may still be the one to come back");
    assert_eq!(progress.due_at(), Some(100 * MS));
    progress.save(100 * MS).unwrap();
    assert_eq!(needed.lsn(), Lsn(2));
    assert_eq!(progress.due_at(), None, "and then it rests");
    // Within a segment, however far, one save is enough.
    progress.advance(in_segment(400, 2), 396, 100 * MS);
    progress.save(100 * MS).unwrap();
    assert_eq!((needed.lsn(), progress.due_at()), (Lsn(2), None));
}

#[test]
fn between_attempts_nothing_is_offered_and_waits_grow() {
    let world = World::with(5);
    let mut worker = world.start();
    world.sink.fail_next(30);
    let mut total = Duration::ZERO;
    for attempt in 1..=30 {
        let Step::Retry(at) = worker.step().unwrap() else { panic!("the sink fails") };
        let wait = at - world.clock.monotonic();
        assert!((100 * MS..=30_000 * MS).contains(&wait), "attempt {attempt}: {wait:?}");
        total += wait;
        world.clock.advance(wait - MS);
        assert_eq!(worker.step().unwrap(), Step::Retry(at));
        assert_eq!(world.sink.offers().len(), attempt);
        world.clock.advance(MS);
    }
    assert!(total > 60_000 * MS, "{total:?}");
    assert_eq!(worker.step().unwrap(), Step::Delivered);
    // After a success, the next failure is a first one. The cursor is saved before it, so that it is the sink alone
    // that is waited for.
    for durable in 6..16 {
        worker.save().unwrap();
        world.outbox.grow_to(durable);
        world.sink.fail_next(1);
        let Step::Retry(at) = settle(&mut worker) else { panic!("the sink fails") };
        let wait = at - world.clock.monotonic();
        assert!((100 * MS..=200 * MS).contains(&wait), "{wait:?}");
        world.clock.advance(wait);
        assert_eq!(worker.step().unwrap(), Step::Delivered);
    }
}

#[test]
fn a_failed_write_of_the_cursor_pauses_deliveries_until_it_succeeds() {
    let world = World::with(20);
    let mut worker = world.start();
    // Two batches are within what the cursor may leave out; the save after the second one fails.
    assert_eq!(worker.step().unwrap(), Step::Delivered);
    world.storage.fail_after(0, io::ErrorKind::StorageFull);
    let Step::Retry(at) = settle(&mut worker) else { panic!("the save fails") };
    assert_eq!((world.sink.acknowledged(), world.saved()), (20, 0));
    world.outbox.grow_to(30);
    assert_eq!(worker.step().unwrap(), Step::Retry(at));
    assert_eq!(world.sink.acknowledged(), 20);
    let status = worker.monitor().read();
    assert_eq!(status.state, SinkState::Retrying);
    assert!(status.last_error.unwrap().contains("events.cursor"));
    world.clock.advance(at - world.clock.monotonic());
    settle(&mut worker);
    assert_eq!((world.sink.acknowledged(), world.saved()), (30, 20));
    assert_eq!(worker.monitor().read().last_error, None);
}

#[test]
fn a_failed_sync_of_the_cursor_ends_the_worker() {
    let world = World::with(20);
    let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
    let needed = cursor.saved();
    let mut worker = world.worker(&settings(), Box::new(world.sink.clone()), cursor);
    worker.step().unwrap();
    world.storage.fail_after(1, io::ErrorKind::Other);
    assert!(matches!(worker.step(), Err(WorkerError::Cursor(ProgressError::Unknown(_)))));
    assert_eq!(needed.lsn(), lsn_of(&position(0)));
}

#[test]
fn the_status_shows_what_the_worker_does() {
    let world = World::with(15);
    let mut worker = world.start();
    let monitor = worker.monitor();
    let shown = || monitor.read_at(event(15).entry.event.occurred_at(), Sequence(15));
    assert_eq!((shown().state, shown().lag_events, shown().lag_ms), (SinkState::Delivering, 15, 0));
    world.sink.fail_next(2);
    worker.step().unwrap();
    let status = shown();
    assert_eq!((status.state, status.attempts, status.acked_sequence.0), (SinkState::Retrying, 1, 0));
    assert_eq!(status.last_error.as_deref(), Some("write fake: told to fail"));
    assert_eq!((status.lag_events, status.lag_ms), (15, 14), "from the first event to the fifteenth");
    world.clock.advance(1000 * MS);
    worker.step().unwrap();
    assert_eq!(shown().attempts, 2);
    world.clock.advance(1000 * MS);
    worker.step().unwrap();
    let status = shown();
    assert_eq!((status.acked_sequence.0, status.attempts, status.last_error), (10, 0, None));
    assert_eq!(status.lag_events, 5);
    settle(&mut worker);
    let status = shown();
    assert_eq!((status.state, status.acked_sequence.0), (SinkState::Idle, 15));
    assert_eq!((status.lag_events, status.lag_ms), (0, 0));
    // While the worker sleeps, the lag is counted by whoever asks, and what lags is not idle.
    let status = monitor.read_at(event(15).entry.event.occurred_at(), Sequence(18));
    assert_eq!((status.state, status.lag_events), (SinkState::Delivering, 3));
}

#[test]
fn reopening_reaches_the_sink_and_ends_the_wait() {
    let world = World::with(5);
    let mut worker = world.start();
    world.sink.fail_next(1);
    assert!(matches!(worker.step().unwrap(), Step::Retry(_)));
    worker.reopen().unwrap();
    assert_eq!(world.sink.reopened(), 1);
    assert_eq!(worker.step().unwrap(), Step::Delivered);
}

#[test]
fn every_step_is_a_sign_of_life() {
    let world = World::with(25);
    let mut worker = world.start();
    let heartbeat = worker.heartbeat();
    for beats in 1..6 {
        worker.step().unwrap();
        assert_eq!(heartbeat.beats(), beats);
        assert!(!heartbeat.may_be_quiet() && !heartbeat.in_delivery());
    }
}

#[test]
fn retention_follows_the_saved_cursor_and_not_the_acknowledged_one() {
    let world = World::with(10);
    let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
    let saved = cursor.saved();
    let mut worker = world.worker(&settings(), Box::new(world.sink.clone()), cursor);
    settle(&mut worker);
    assert_eq!(saved.lsn(), lsn_of(&position(0)));
    for durable in [20, 40, 60] {
        world.outbox.grow_to(durable);
        settle(&mut worker);
        assert!(saved.lsn() <= lsn_of(&position(world.saved())));
    }
    assert_eq!(saved.lsn(), lsn_of(&position(40)), "the save before the last one");
}

#[path = "worker_inbox_test.rs"]
mod inbox;
#[path = "worker_thread_test.rs"]
mod thread;
