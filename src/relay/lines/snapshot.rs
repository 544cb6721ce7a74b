//! The snapshot that a `file` or `stdout` sink may start with: rows in place of sequences, until the live events follow.

use std::time::Duration;

use super::stream::LineStream;
use crate::contracts::{FeedPosition, Sequence, SinkState};
use crate::relay::{Step, WorkerError};

impl LineStream {
    /// The last event that the sink has acknowledged; while a snapshot is handed out, the one that it is as of.
    pub(super) const fn position(&self) -> FeedPosition {
        match self.source.snapshot() {
            Some(feed) => feed.as_of(),
            None => self.progress.position(),
        }
    }

    /// The first event that was not taken, if there is one.
    pub(super) fn first_in_batch(&self) -> Option<Sequence> {
        self.batch.first().map(|first| self.source.snapshot().map_or(first, |feed| feed.as_of().sequence))
    }

    /// How many rows of a snapshot the sink has not acknowledged; zero if none is handed out.
    pub(super) fn snapshot_left(&self) -> u64 {
        let rows = self.source.snapshot().map_or(0, |feed| feed.orders());
        rows.saturating_sub(if rows == 0 { 0 } else { self.progress.position().sequence.0 })
    }

    /// All rows that are there were delivered: waits for more, or ends the snapshot. The cursor says that it is complete
    /// before that is decided, or a restart would look in the file for live events where it still has rows.
    pub(super) fn rest_in_snapshot(&mut self, rows: u64, now: Duration) -> Result<Step, WorkerError> {
        self.show_state(SinkState::Delivering);
        if self.delivered.sequence.0 >= rows {
            self.acknowledge(now)?;
            if let Some(at) = self.save_or_pause(now)? {
                return Ok(Step::Retry(at));
            }
            self.snapshot_delivered = self.progress.position().sequence.0 >= rows;
        }
        Ok(self.due_at().map_or(Step::Idle, Step::CursorDue))
    }

    /// It is durably decided that the snapshot is over: the live events come next.
    pub(super) fn end_snapshot(&mut self, now: Duration) {
        if let Some(position) = self.source.end_snapshot() {
            self.batch.restart(position);
            self.set_delivered(position);
            self.progress.end_snapshot(position, now);
            self.show_acknowledged();
            tracing::info!(sink = self.name, "every order of the snapshot is delivered; live events follow");
        }
    }

    /// Passes over the rest of the snapshot, if an operator wants that; whether there is a snapshot at all.
    pub(super) fn skip_snapshot(&mut self, is_skipped: impl Fn(Sequence) -> bool, now: Duration) -> bool {
        let Some(feed) = self.source.snapshot() else { return false };
        let end = FeedPosition { sequence: Sequence(feed.orders()), ..feed.as_of() };
        if is_skipped(feed.as_of().sequence) && self.delivered != end {
            self.source.rewind(end);
            self.go_on_after(end, now);
        }
        true
    }
}
