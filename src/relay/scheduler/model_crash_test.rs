//! What a crash leaves of the model's world.

use super::*;

impl World {
    pub(super) fn save(&mut self) {
        let prefix = self.scheduler.prefix();
        let bits = (1..).zip(self.scheduler.settled_bits());
        let ahead = bits.filter(|(_, settled)| *settled).map(|(at, _)| prefix.plus(at));
        self.saved = (prefix, ahead.chain(self.scheduler.settled_unread()).collect());
    }

    /// Everything that was not durable is gone.
    pub(super) fn crash(&mut self) {
        self.count("crash");
        self.on_their_way.clear();
        self.news.clear();
        self.batch_left = 0;
        self.in_flight.clear();
        self.answered.clear();
        self.heard = self.record.clone();
        let stored = Stored {
            prefix: self.saved.0,
            settled: self.saved.1.iter().chain(&self.record.skipped).copied().collect(),
            skips: self.record.ranges.clone(),
            lanes: self.stored_lanes(),
            paused: self.record.paused,
            halted: self.record.halted,
            settled_after: Vec::new(),
            snapshot: None,
        };
        self.scheduler = Scheduler::new(self.limits.clone(), stored, self.now);
        self.prefix = self.saved.0;
    }

    fn stored_lanes(&self) -> Vec<StoredLane> {
        let lane = |(order_id, (state, events)): (&OrderId, &(LaneState, VecDeque<Sequence>))| StoredLane {
            order_id: *order_id,
            state: *state,
            attempts: 1,
            reason: Arc::from("stored"),
            events: events.iter().map(|event| (*event, 10)).collect(),
            row: None,
        };
        self.record.lanes.iter().map(lane).collect()
    }
}
