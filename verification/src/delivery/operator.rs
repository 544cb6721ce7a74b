//! The operator: parks, requeues, skips, pauses, and knows what came of it.

use orderd::contracts::{
    DecisionKind, LaneFilter, Lsn, OperatorRequest, OperatorResult, Outcome, PlanStore as _, ReplayBound,
    ReplayRequest, RequeueTarget, Sequence, SkipTo,
};

use super::daemon::SINK;
use super::item::Item;
use super::program::HandedOut;
use super::seen::Thing;
use super::world::World;

impl World {
    /// Asks for one thing, and takes in what was done.
    pub(super) fn operate(&mut self) -> Result<(), String> {
        // What was handed out before is seen before.
        self.listen()?;
        if self.known.orders.is_empty() {
            return Ok(());
        }
        let order_id = self.known.orders[self.rng.index(self.known.orders.len())].order_id;
        let (sink, reason) = (SINK.to_owned(), "simulated".to_owned());
        match self.rng.below(100) {
            0..=19 => {
                let in_snapshot = self.daemon()?.record()?.snapshot_running;
                let done = self.ask(OperatorRequest::LanePark { sink, order_id, reason })?;
                if done.is_some() {
                    self.seen.hit(Thing::ParkedByHand);
                    self.seen.hit_if(Thing::RowHeld, in_snapshot);
                    self.known.held.insert(order_id);
                }
            }
            20..=39 => self.requeue(RequeueTarget::Order(order_id))?,
            40..=49 => self.requeue(RequeueTarget::All(LaneFilter::default()))?,
            50..=64 => self.skip_first()?,
            65..=69 => self.skip_to()?,
            70..=76 => self.pause(true)?,
            77..=89 => self.pause(false)?,
            90..=95 => drop(self.ask(OperatorRequest::SinkRetry { sink, reason: None })?),
            _ => self.replay()?,
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, paused: bool) -> Result<(), String> {
        let sink = SINK.to_owned();
        let request = match paused {
            true => OperatorRequest::SinkPause { sink, reason: None },
            false => OperatorRequest::SinkResume { sink, reason: None },
        };
        if self.ask(request)?.is_some() {
            self.known.paused = paused;
            self.seen.hit_if(Thing::Paused, paused);
        }
        Ok(())
    }

    pub(super) fn requeue(&mut self, target: RequeueTarget) -> Result<(), String> {
        let request = OperatorRequest::LaneRequeue {
            sink: SINK.to_owned(),
            target: target.clone(),
            limit: None,
            reason: None,
            dry_run: false,
        };
        let Some(OperatorResult::Requeued { lanes, .. }) = self.ask(request)? else { return Ok(()) };
        self.seen.hit_if(Thing::Requeued, lanes > 0);
        match target {
            RequeueTarget::Order(order_id) => drop(self.known.held.remove(&order_id)),
            RequeueTarget::All(_) => self.known.held.clear(),
        }
        Ok(())
    }

    /// The first event of some parked lane is passed over.
    fn skip_first(&mut self) -> Result<(), String> {
        let lanes = &self.daemon()?.record()?.lanes;
        let firsts: Vec<_> =
            lanes.iter().filter_map(|(order_id, lane)| Some((*order_id, lane.events.front()?.sequence))).collect();
        if firsts.is_empty() {
            return Ok(());
        }
        let (order_id, sequence) = *self.rng.pick(&firsts);
        let (sink, reason) = (SINK.to_owned(), "simulated".to_owned());
        let after_lsn = self.daemon()?.executor.store().durable_lsn();
        if self.ask(OperatorRequest::LaneSkip { sink, order_id, sequence, reason })?.is_some() {
            self.is_on_record(after_lsn, &DecisionKind::LaneSkipped { order_id, sequence })?;
            self.seen.hit(Thing::SkippedFirst);
            let item = self.known.parked_item(order_id, sequence.0);
            self.known.skipped.insert(item);
        }
        Ok(())
    }

    /// There is nothing without a record in the journal.
    fn is_on_record(&mut self, after_lsn: Lsn, kind: &DecisionKind) -> Result<(), String> {
        let request = OperatorRequest::DecisionList { after_lsn, limit: 100 };
        match self.ask(request)? {
            Some(OperatorResult::Decisions { decisions, .. }) if decisions.iter().any(|it| it.1.kind == *kind) => {
                Ok(())
            }
            _ => Err(format!("there is no record of {kind:?}")),
        }
    }

    fn skip_to(&mut self) -> Result<(), String> {
        let view = &self.daemon()?.handle.sink.view;
        let (acked, left) = (view.acked_sequence().0, view.snapshot_left());
        let to = acked + self.rng.below(12);
        let (sink, reason) = (SINK.to_owned(), "simulated".to_owned());
        let request = OperatorRequest::SinkSkipTo { sink, to: SkipTo::Sequence(Sequence(to)), reason, dry_run: false };
        if let Some(OperatorResult::Range(range)) = self.ask(request)? {
            self.seen.hit_if(Thing::SkippedTo, range.events > 0);
            // Beyond its position, the rest of a snapshot is passed over, too.
            let passes_rows = left > 0 && to > acked;
            self.seen.hit_if(Thing::SnapshotPassed, passes_rows);
            self.void_skipped(acked, to, passes_rows)?;
        }
        Ok(())
    }

    /// What comes before `to` and is not parked has ended; what of it was in flight counts for nothing.
    fn void_skipped(&mut self, acked: u64, to: u64, passes_rows: bool) -> Result<(), String> {
        let record = self.daemon.as_ref().ok_or("no daemon runs")?.record()?;
        let is_parked = |item: Item| {
            let sequence = if let Item::Event(number) = item { number } else { self.known.position };
            let lane = self.known.order_of(item).and_then(|(order_id, _)| record.lanes.get(&order_id));
            lane.is_some_and(|lane| lane.events.iter().any(|event| event.sequence.0 == sequence))
        };
        let is_meant = |item: &Item| match item {
            Item::Row(_) => passes_rows,
            Item::Event(number) => (acked + 1..to).contains(number),
        };
        let passed: Vec<Item> = self.known.items().filter(is_meant).filter(|item| !is_parked(*item)).collect();
        if let Some(program) = &mut self.program {
            let is_passed = |out: &HandedOut| self.known.item(out).is_ok_and(|item| passed.contains(&item));
            let voided = program.in_flight.extract_if(.., |_, out| !out.replayed && is_passed(out));
            program.voided.extend(voided.map(|(tag, _)| tag));
        }
        self.known.passed.extend(passed);
        Ok(())
    }

    fn replay(&mut self) -> Result<(), String> {
        let acked = self.daemon()?.handle.sink.view.acked_sequence().0;
        if acked == 0 {
            return Ok(());
        }
        let from = self.rng.between(1, acked);
        let request = ReplayRequest {
            sink: SINK.to_owned(),
            from: ReplayBound::Sequence(Sequence(from)),
            to: ReplayBound::Sequence(Sequence(acked)),
            types: Vec::new(),
            order_id: None,
            rate_events_per_s_max: 1_000_000,
            reason: None,
            dry_run: false,
        };
        let started = self.ask(OperatorRequest::ReplayStart(request))?;
        self.seen.hit_if(Thing::ReplayStarted, started.is_some());
        Ok(())
    }

    /// The result; none if it was refused.
    fn ask(&mut self, request: OperatorRequest) -> Result<Option<OperatorResult>, String> {
        let asked = format!("{request:?}");
        let answer = self.daemon_mut()?.operate(request)?;
        self.say(|| format!("{asked} -> {answer:?}"));
        match answer {
            Outcome::Operated(result) => Ok(Some(*result)),
            Outcome::Refused(_) => Ok(None),
            Outcome::Changed { .. } | Outcome::Found(_) => Err("an operator got the answer to a command".to_owned()),
        }
    }
}
