//! One turn of a subscription's worker: everything that can be done without waiting.

use std::sync::Arc;
use std::time::Duration;

use super::connection::Consumer;
use super::content::Read;
use super::decisions;
use super::next::Next;
use super::protocol::{self, ClosingKind};
use super::saving::{Saved, live_details, snapshot_details};
use super::snapshot_rows::streamed;
use super::{Subscription, WorkerError};
use crate::contracts::{Ahead, Decision, DecisionKind, DecisionNews, FeedError, PublishedEvent, Sequence, SinkState};
use crate::domain::Timestamp;
use crate::relay::cloud_event;
use crate::relay::error::deposed;
use crate::relay::scheduler::{HandOut, StreamId};

/// Plans that are read in one turn.
const READS_MAX: usize = 1024;

impl Subscription {
    /// Does what there is to do. Waits for nothing but the disk.
    pub(super) fn turn(&mut self) -> Result<Next, WorkerError> {
        self.heartbeat.beat();
        let now = self.clock.monotonic();
        if !self.saving.is_held(now) {
            self.close(ClosingKind::ShuttingDown, "another daemon may relay the sink by now", now);
            self.flush(now);
            return Err(deposed(&self.settings.name).into());
        }
        self.hear(now);
        let more_to_hear = self.take_outcomes(now);
        self.take_attaches(now);
        let late = self.shared.scheduler().answer_due_at().is_some_and(|at| at <= now);
        if late && !more_to_hear {
            let most = self.settings.limits.answer_max.as_millis();
            self.close(ClosingKind::AnswerTimeout, &format!("an event was not answered within {most} ms"), now);
        }
        let read = self.read(now);
        let more_to_replay = self.read_replays(now);
        let stopped_by_room = self.hand_out(now);
        self.flush(now);
        let more_to_read = match read {
            Read::End => false,
            Read::Enough => self.shared.scheduler().wanted() > 0,
            Read::More => true,
        };
        let has_room = self.consumer.as_ref().is_some_and(|consumer| consumer.connection.has_room());
        let more_to_hand_out = stopped_by_room && has_room;
        self.settle(now)?;
        self.settle_replays(now, false)?;
        self.show();
        if self.drain(now) {
            return Ok(Next::Ended);
        }
        if more_to_hear || more_to_read || more_to_replay || more_to_hand_out {
            return Ok(Next::Again);
        }
        Ok(Next::Wait(self.wake_at(now)))
    }

    /// Acts on what is durably decided.
    fn hear(&mut self, now: Duration) {
        for news in self.inbox.take() {
            match news {
                DecisionNews::Durable { ticket, decision, row, .. } => {
                    let own = self.deciding.heard(ticket);
                    self.act(&decision, row, own, now);
                }
                DecisionNews::Full { ticket } => self.deciding.full(ticket, now),
                DecisionNews::Retry => {
                    self.shared.scheduler().retry_now(now);
                    if let Some((_, retry_at)) = &mut self.unreadable {
                        *retry_at = now;
                    }
                }
            }
        }
    }

    fn act(&mut self, decision: &Arc<Decision>, row: Option<u64>, own: bool, now: Duration) {
        let mut scheduler = self.shared.scheduler();
        decisions::apply(decision, row, own, &mut scheduler, &mut self.parked, now);
        drop(scheduler);
        match &decision.kind {
            DecisionKind::Parked { order_id, .. } if self.snapshot.is_some() => self.note_unsaved_row(*order_id, now),
            DecisionKind::RangeSkipped { .. } => self.unreadable = None,
            DecisionKind::ReplayStarted(spec) => self.start_replay(spec, now),
            DecisionKind::ReplayEnded { replay_id, .. } => self.end_replay(*replay_id),
            DecisionKind::SnapshotEnded => self.end_snapshot(now),
            DecisionKind::Registered(_)
            | DecisionKind::Forgotten
            | DecisionKind::Parked { .. }
            | DecisionKind::Requeued { .. }
            | DecisionKind::Delivered { .. }
            | DecisionKind::LaneSkipped { .. }
            | DecisionKind::Paused
            | DecisionKind::Resumed
            | DecisionKind::Halted
            | DecisionKind::Restored { .. } => {}
        }
    }

    /// Reads events into the window.
    fn read(&mut self, now: Duration) -> Read {
        if self.unreadable.as_ref().is_some_and(|(_, retry_at)| now < *retry_at) || self.drain_until.is_some() {
            return Read::End;
        }
        let read = if self.snapshot.is_some() { self.read_snapshot() } else { self.try_read() };
        match read {
            Ok(read) => {
                self.unreadable = None;
                read
            }
            Err(error) => {
                tracing::error!(sink = &*self.settings.name, %error, "what the sink has to read cannot be read; it waits");
                self.unreadable = Some((error.to_string(), now.saturating_add(self.settings.limits.backoff_max)));
                Read::End
            }
        }
    }

    fn try_read(&mut self) -> Result<Read, FeedError> {
        for _ in 0..READS_MAX {
            let (next, wanted) = {
                let scheduler = self.shared.scheduler();
                (scheduler.next_to_read(), scheduler.wanted())
            };
            // Also while nobody is attached: the cursor must let go of the journal that was skipped.
            if next > self.content.next() {
                self.content.jump(Sequence(next.0 - 1))?;
            }
            // At the end it is read on all the same, to pass over plans without events.
            if wanted == 0 && !self.content.is_at_end() {
                return Ok(Read::Enough);
            }
            let events = self.content.read()?;
            if events.is_empty() {
                return Ok(Read::End);
            }
            let mut scheduler = self.shared.scheduler();
            for event in events.iter().filter(|event| event.sequence >= next) {
                scheduler.push(event.entry.event.order_id(), decisions::bytes_of(event));
            }
            let prefix = scheduler.prefix();
            drop(scheduler);
            self.content.release(prefix);
        }
        Ok(Read::More)
    }

    /// Hands out what the program may have now; whether only the connection's buffer stopped it.
    fn hand_out(&mut self, now: Duration) -> bool {
        if self.saving.holds_up() || self.drain_until.is_some() {
            return false;
        }
        while self.consumer.as_ref().is_some_and(|consumer| consumer.connection.has_room()) {
            let Some(out) = self.shared.scheduler().next(now) else { return false };
            let event = match self.event_of(&out) {
                Ok(event) => event,
                Err(error) => {
                    self.lose_content(&error, now);
                    return false;
                }
            };
            if let Some(consumer) = &mut self.consumer {
                write_event(consumer, &out, &event);
            }
        }
        self.consumer.is_some()
    }

    /// The event that goes out.
    fn event_of(&self, out: &HandOut) -> Result<Arc<PublishedEvent>, FeedError> {
        match out.stream {
            StreamId::Live if out.parked => {
                let lane = self.parked.get(&out.order_id);
                let event = lane.and_then(|lane| lane.iter().find(|event| event.sequence == out.sequence));
                event.cloned().ok_or_else(|| FeedError::Damaged(format!("parked event {} is not kept", out.sequence)))
            }
            StreamId::Live => streamed(self.snapshot.as_ref(), &self.content, out.sequence),
            StreamId::Replay(replay_id) => self.replayed(replay_id, out.sequence),
        }
    }

    /// An event that is to go out cannot be read again, and its tag is taken: the connection cannot go on.
    fn lose_content(&mut self, error: &FeedError, now: Duration) {
        tracing::error!(sink = &*self.settings.name, %error, "an event cannot be read again");
        self.unreadable = Some((error.to_string(), now.saturating_add(self.settings.limits.backoff_max)));
        self.close(ClosingKind::ShuttingDown, "what there is to hand out cannot be read", now);
    }

    fn flush(&mut self, now: Duration) {
        if let Some(consumer) = &mut self.consumer {
            consumer.connection.flush();
        }
        let registry = self.poll.registry();
        self.lingering.retain_mut(|(_, lingering)| {
            let goes_on = lingering.goes_on(now);
            if !goes_on {
                lingering.connection().deregister(registry);
            }
            goes_on
        });
    }

    /// Asks for decisions, and saves the cursor, if it is time.
    fn settle(&mut self, now: Duration) -> Result<(), WorkerError> {
        self.settle_snapshot();
        let mut scheduler = self.shared.scheduler();
        let at = self.clock.now();
        let content = |sequence| streamed(self.snapshot.as_ref(), &self.content, sequence);
        let asked = decisions::ask(&mut self.deciding, &mut scheduler, content, &mut self.others, at, now);
        let failures = scheduler.take_failures();
        let (prefix, settled_count) = (scheduler.prefix(), scheduler.settled_count());
        drop(scheduler);
        if let Err(error) = asked {
            self.lose_content(&error, now);
        }
        failures.iter().for_each(|failure| self.monitor.note_failure(failure.outcome));
        self.shared.note(failures);
        if self.snapshot.is_none() {
            self.content.release(prefix);
            self.saving.pass(self.content.base(), now);
        }
        self.saving.note(settled_count, now);
        if self.saving.is_due(now) {
            self.save(now)?;
        }
        Ok(())
    }

    /// Saves the cursor. What cannot be written is tried again later.
    pub(super) fn save(&mut self, now: Duration) -> Result<(), WorkerError> {
        let scheduler = self.shared.scheduler();
        let (base, settled_count) = (self.content.base(), scheduler.settled_count());
        self.saving.note(settled_count, now);
        if self.saving.due_at().is_none() {
            return Ok(());
        }
        let details = match self.snapshot {
            Some(_) => snapshot_details(&scheduler),
            None => live_details(&scheduler, base.sequence),
        };
        drop(scheduler);
        let began = self.clock.monotonic();
        let saved = self.saving.save(base, details, settled_count, now)?;
        let took = self.clock.monotonic().saturating_sub(began);
        self.monitor.metrics().cursor_save_duration.record_duration(took);
        match saved {
            Saved::Done => self.shared.note_saved(),
            Saved::Later(error) => {
                tracing::warn!(sink = &*self.settings.name, %error, "the cursor cannot be saved; deliveries wait for it");
                self.monitor.update(|status| status.last_error = Some(error.to_string()));
            }
        }
        Ok(())
    }

    pub(super) fn show(&mut self) {
        let scheduler = self.shared.scheduler();
        let standing = scheduler.standing();
        let delivered = scheduler.delivered_total();
        drop(scheduler);
        self.delivered_total = delivered;
        let first = standing.prefix.next();
        let oldest = self.content.kept(first).map(|event| event.entry.event.occurred_at());
        let oldest = oldest.or_else(|| self.unread_since(first, standing.state));
        let unreadable = self.unreadable.as_ref().map(|(problem, _)| problem.clone());
        self.monitor.update_pending(oldest, |status| {
            let stands = matches!(standing.state, SinkState::Paused | SinkState::Halted) || unreadable.is_none();
            status.state = if stands { standing.state } else { SinkState::Blocked };
            status.acked_sequence = standing.prefix;
            status.in_flight = standing.in_flight;
            status.parked_lanes = standing.parked_lanes.total();
            status.parked_events = standing.parked_events;
            status.attempts = standing.failures_in_a_row;
            status.delivered_total = delivered;
            status.last_error = unreadable.or_else(|| standing.last_error.map(|error| error.to_string()));
        });
        self.monitor.note_lanes(|state| standing.parked_lanes.of(state));
        let ahead = Ahead { settled: standing.settled_ahead, snapshot_left: standing.snapshot_left };
        self.monitor.note_progress(self.clock.now(), self.content.durable_sequence(), ahead);
    }

    /// When `first` happened, if it waits unread because nobody is attached or the sink is paused. What cannot be read
    /// has no time here; who reads it to hand it out tells why.
    fn unread_since(&mut self, first: Sequence, state: SinkState) -> Option<Timestamp> {
        let waits = self.consumer.is_none() || state == SinkState::Paused || self.snapshot.is_some();
        if !waits || first != self.content.next() || first > self.content.durable_sequence() {
            return None;
        }
        if self.unread_since.is_none_or(|(sequence, _)| sequence != first) {
            let event = self.content.get(first).ok()?;
            self.unread_since = Some((first, event.entry.event.occurred_at()));
        }
        self.unread_since.map(|(_, since)| since)
    }

    /// Once it was told to stop: takes outcomes for a moment, tells the program, and says whether that is done.
    fn drain(&mut self, now: Duration) -> bool {
        if !self.control.stop_requested() {
            return false;
        }
        let drain_max = self.settings.drain_max;
        let until = *self.drain_until.get_or_insert(now.saturating_add(drain_max));
        let in_flight = self.shared.scheduler().standing().in_flight;
        if in_flight > 0 && now < until {
            return false;
        }
        self.close(ClosingKind::ShuttingDown, "the daemon stops; attach again after it", now);
        self.flush(now);
        // What was said last has a moment to be read.
        self.lingering.is_empty() || now >= until.saturating_add(drain_max / 2)
    }

    fn wake_at(&self, now: Duration) -> Option<Duration> {
        let scheduler = self.shared.scheduler();
        let idle = !self.deciding.is_busy();
        let wishes =
            scheduler.wishes_due_at().filter(|_| idle).or_else(|| (idle && !self.others.is_empty()).then_some(now));
        let stop = self.drain_until.map(|until| if now < until { until } else { now + self.settings.drain_max / 2 });
        let times = [
            scheduler.wake_at(now),
            scheduler.answer_due_at(),
            wishes,
            self.deciding.send_at(),
            self.saving.due_at(),
            self.replays_due_at(),
            self.unreadable.as_ref().map(|(_, retry_at)| *retry_at),
            self.lingering.iter().map(|(_, lingering)| lingering.until()).min(),
            stop,
        ];
        times.into_iter().flatten().min()
    }
}

fn write_event(consumer: &mut Consumer, out: &HandOut, event: &PublishedEvent) {
    let output = consumer.connection.output();
    protocol::begin_event(output, out.tag, out.attempt);
    // Writing into memory does not fail.
    cloud_event::render(event, output).ok();
    let replay = match out.stream {
        StreamId::Live => None,
        StreamId::Replay(replay_id) => Some(replay_id),
    };
    protocol::end_event(output, replay);
}
