use std::io;

use super::*;
use crate::contracts::Storage;
use crate::relay::testing::{FakeSink, MemoryStorage, Outbox, STORE_ID, StillClock, lines, position, settings};

/// Everything around a worker that outlives it.
#[derive(Default)]
struct World {
    storage: MemoryStorage,
    outbox: Outbox,
    sink: FakeSink,
    clock: StillClock,
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
        let reader = self.outbox.reader_at(cursor.position().sequence.0);
        let (sink, clock) = (Box::new(self.sink.clone()), Arc::new(self.clock.clone()));
        Worker::new(&settings(), reader, sink, cursor, clock).unwrap()
    }

    fn saved(&self) -> u64 {
        CursorFile::inspect(&self.storage, "events", STORE_ID).unwrap().unwrap().sequence.0
    }

    /// What the sink took, in the order in which it did.
    fn taken(&self) -> Vec<u8> {
        self.sink.offers().into_iter().filter(|offer| offer.taken).flat_map(|offer| offer.lines).collect()
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
