//! A worker and its target: opening it, going on where it ends, and having it take responsibility.

use std::time::Duration;

use super::stream::LineStream;
use crate::contracts::{EventPlace, FeedPosition, Opened};
use crate::relay::{Step, WorkerError};

impl LineStream {
    /// Sees to the target; what to do instead if there is none.
    pub(super) fn open(&mut self, now: Duration) -> Result<Option<Step>, WorkerError> {
        match self.sink.open(self.progress.mark()) {
            Ok(Opened::Ready(_)) => {}
            Ok(Opened::Resumed(_)) => {
                self.rewind();
                self.resuming = true;
            }
            Ok(Opened::Changed(mark)) => {
                self.rewind();
                self.resuming = false;
                self.progress.set_mark(mark, now);
                // Saved before the first line: otherwise a kill would find lines there that nobody vouches for.
                if let Some(at) = self.save_or_pause(now)? {
                    return Ok(Some(Step::Retry(at)));
                }
            }
            Ok(Opened::Cut { mark, last }) => {
                if !self.write_again(last) {
                    if self.delivered != self.progress.position() {
                        self.progress.advance(self.delivered, self.delivered_events, now);
                        self.show_acknowledged();
                    }
                    (self.delivered_events, self.delivered_since, self.resuming) = (0, None, false);
                    self.progress.set_mark(mark, now);
                    if let Some(at) = self.save_or_pause(now)? {
                        return Ok(Some(Step::Retry(at)));
                    }
                }
            }
            Err(error) => {
                // So that it shows how old what waits is.
                if self.batch.is_empty() && self.source.refill(&mut self.batch).is_ok() {
                    self.monitor.update_pending(self.batch.oldest(), |_| {});
                }
                return self.schedule_retry(error).map(Some);
            }
        }
        Ok(None)
    }

    /// Lines were cut off the target's end, which now ends with `last`: goes back there, so that they come again. One that
    /// was emptied goes on where it was: its rotation has the lines. Cursor and mark stay until it holds again what they
    /// say: a kill before that finds it too short once more.
    fn write_again(&mut self, last: Option<EventPlace>) -> bool {
        let is_missing =
            |last: &EventPlace| last.epoch == self.delivered.epoch && last.sequence < self.delivered.sequence;
        let Some(last) = last.filter(is_missing) else { return false };
        match self.source.jump(last.sequence) {
            Ok(position) => {
                tracing::warn!(sink = self.name, after = %last.sequence, "writing the lines again that were cut off");
                self.batch.restart(position);
                self.delivered = position;
                (self.delivered_events, self.delivered_since, self.resuming) = (0, None, false);
                true
            }
            Err(error) => {
                tracing::warn!(sink = self.name, %error, "lines were cut off that cannot be written again");
                false
            }
        }
    }

    /// Goes on from here, with nothing to be acknowledged.
    pub(super) const fn set_delivered(&mut self, position: FeedPosition) {
        self.delivered = position;
        (self.delivered_events, self.delivered_since) = (0, None);
    }

    /// What comes before was passed over for good: nothing of it is delivered any more.
    pub(super) fn go_on_after(&mut self, position: FeedPosition, now: Duration) {
        self.batch.restart(position);
        self.delivered = position;
        self.delivered_since = self.delivered_since.or(Some(now));
        (self.failures, self.retry_at, self.resuming) = (0, None, false);
    }

    /// Goes back to what is acknowledged: what was delivered since then is not known to be there.
    pub(super) fn rewind(&mut self) {
        let acknowledged = self.progress.position();
        if self.delivered != acknowledged || self.batch.end() != acknowledged {
            self.source.rewind(acknowledged);
            self.batch.restart(acknowledged);
            self.delivered = acknowledged;
        }
        (self.delivered_events, self.delivered_since) = (0, None);
    }

    /// Passes over what the target holds already, after a kill.
    pub(super) fn resume(&mut self, now: Duration) -> Result<Step, WorkerError> {
        match self.sink.held(&self.batch.delivery()) {
            Ok(held) if held.events >= self.batch.events() => self.note_delivered(now),
            Ok(held) => {
                self.resuming = false;
                self.delivered_events += held.events as u64;
                self.batch.drop_held(held);
                Ok(Step::Delivered)
            }
            Err(error) => self.schedule_retry(error),
        }
    }

    /// Has the sink take responsibility for what was delivered.
    pub(super) fn acknowledge(&mut self, now: Duration) -> Result<(), WorkerError> {
        if self.delivered.sequence <= self.progress.position().sequence {
            self.delivered_since = None;
            return Ok(());
        }
        self.heartbeat.set_in_delivery(true);
        let synced = self.sink.sync();
        self.heartbeat.set_in_delivery(false);
        match synced {
            Ok(mark) => {
                self.progress.advance(self.delivered, self.delivered_events, now);
                if let Some(oldest) = self.delivered_oldest {
                    self.monitor.note_acknowledged(oldest, self.delivered_events, self.clock.now());
                }
                if !self.sink.acknowledges_deliveries() {
                    self.progress.set_mark(mark, now);
                }
                (self.delivered_events, self.delivered_since) = (0, None);
                self.show_acknowledged();
                Ok(())
            }
            Err(error) => {
                self.sink.reopen();
                self.rewind();
                self.schedule_retry(error).map(drop)
            }
        }
    }
}
