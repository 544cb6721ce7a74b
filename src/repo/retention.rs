//! Keeps the store small: checkpoints when enough has been written, and the deletion of what nobody needs any more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::PlanRecord;
use super::checkpoint::{
    CheckpointSource, delete_checkpoints_but, delete_unfinished, write_checkpoint, write_earlier_checkpoint,
};
use crate::contracts::{Clock, JournalNeeds, Lsn, Sequence};
use crate::journal::{
    CHECKPOINTS_DIR, ChainEnd, JOURNAL_DIR, JournalHandle, JournalReader, SegmentPreparer, checkpoint_name,
    segment_path,
};
use crate::telemetry::CheckpointMetrics;

/// When to write a checkpoint, and how much of the journal to keep for replays.
#[derive(Debug, Clone, Copy)]
pub struct MaintenanceOptions {
    /// Journal bytes since the last checkpoint; a larger checkpoint waits until twice its own size was written, so that
    /// checkpoints never cost more than half of the journal itself, however many orders there are.
    pub journal_bytes: u64,
    /// Plans since the last checkpoint.
    pub plans: u64,
    /// Time since the last checkpoint.
    pub age: Duration,
    /// How much of the journal stays although nobody needs it.
    pub retain_bytes: u64,
    /// The most that the journal may take; retention makes room before it is reached.
    pub journal_bytes_max: u64,
    /// Journal bytes since the last checkpoint from which on a stop writes one.
    pub stop_journal_bytes: u64,
}

/// Writes checkpoints and deletes what is behind them. It has no thread of its own.
pub struct Maintenance {
    files: JournalHandle,
    clock: Arc<dyn Clock>,
    options: MaintenanceOptions,
    /// Who still reads the journal.
    needs: Arc<JournalNeeds>,
    /// Checkpoints that are known to read, newest first; at most two.
    checkpoints: Vec<Lsn>,
    checkpoint_bytes: u64,
    metrics: Arc<CheckpointMetrics>,
    preparer: SegmentPreparer,
    /// Nothing unfinished lies about.
    cleared: bool,
    written_before: u64,
    last_tried: Duration,
    next_try: Duration,
}

/// Segments that are deleted in one turn while there is room.
const DELETIONS_MAX: usize = 8;
/// After a failed checkpoint, the wait before the next.
const RETRY: Duration = Duration::from_secs(5);

impl Maintenance {
    /// Maintenance of a store that was opened from the checkpoint `loaded`, or from none.
    #[must_use]
    pub fn new(
        files: JournalHandle,
        clock: Arc<dyn Clock>,
        options: MaintenanceOptions,
        loaded: Lsn,
        needs: Arc<JournalNeeds>,
    ) -> Self {
        let checkpoints = if loaded > Lsn::ZERO { vec![loaded] } else { Vec::new() };
        let last_tried = clock.monotonic();
        // What the next one will about cost; where it cannot be told, it is found out by writing one.
        let checkpoint_bytes = checkpoints.first().map_or(0, |lsn| checkpoint_bytes(files.storage.as_ref(), *lsn));
        let preparer = SegmentPreparer::new(files.clone(), options.journal_bytes_max);
        Self {
            files,
            clock,
            options,
            needs,
            checkpoints,
            checkpoint_bytes,
            metrics: Arc::default(),
            preparer,
            cleared: false,
            written_before: 0,
            last_tried,
            next_try: last_tried,
        }
    }

    /// What is measured of checkpoints.
    #[must_use]
    pub fn metrics(&self) -> Arc<CheckpointMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Makes segments ahead, also while a checkpoint is being written.
    #[must_use]
    pub fn preparer(&self) -> SegmentPreparer {
        self.preparer.clone()
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn note_success(&self, bytes: u64) {
        let now = self.clock.monotonic();
        self.metrics.duration.record_duration(now.saturating_sub(self.last_tried));
        self.metrics.completed_at_s.set(now.as_secs());
        self.metrics.bytes.set(bytes);
        self.metrics.succeeded();
    }

    /// Does what is due. Failures are logged and tried again later: nothing depends on them but disk space and the time
    /// that a restart takes.
    pub fn turn(&mut self, source: &mut dyn CheckpointSource) {
        if !self.cleared {
            self.clear();
        }
        self.preparer.turn();
        if self.checkpoint_is_due()
            && let Err(error) = self.checkpoint(source)
        {
            self.metrics.failed(&error);
            tracing::warn!(%error, "the checkpoint could not be written; the journal grows until one can");
        }
        if let Err(error) = self.make_room(source) {
            tracing::warn!(%error, "a segment that nobody needs could not be deleted; it is tried again");
        }
    }

    /// Removes checkpoints that were never finished: on a full disk theirs may be the room that is missing.
    pub(super) fn clear(&mut self) {
        match delete_unfinished(self.files.storage.as_ref()) {
            Ok(()) => self.cleared = true,
            Err(error) => tracing::warn!(%error, "an unfinished checkpoint could not be deleted; it is tried again"),
        }
    }

    fn make_room(&mut self, source: &mut dyn CheckpointSource) -> io::Result<()> {
        let deleted = self.delete_segments(source)?;
        if deleted == 0 && self.is_stuck() && !self.needs.backups().any() {
            self.checkpoint_one_behind(source)?;
            self.delete_segments(source)?;
        }
        Ok(())
    }

    /// A full journal whose last plan is in the newest checkpoint gets no plan, and so no other checkpoint, unless the
    /// one before is so old that nothing lies below it.
    fn is_stuck(&self) -> bool {
        let newest = self.checkpoints.first().copied().unwrap_or_default();
        let index = &self.files.index;
        index.is_full()
            && newest == index.durable_lsn()
            && newest > Lsn(1)
            && self.checkpoints.get(1).is_none_or(|older| older.next() < newest)
            && self.clock.monotonic() >= self.next_try
    }

    fn checkpoint_is_due(&self) -> bool {
        let now = self.clock.monotonic();
        let index = &self.files.index;
        let plans = index.durable_lsn().since(self.checkpoints.first().copied().unwrap_or_default());
        if plans == 0 || now < self.next_try {
            return false;
        }
        let bytes = index.written_bytes().saturating_sub(self.written_before);
        // However large checkpoints are, two of them must fit into what the journal may take, or it would fill up.
        let worth_it = bytes >= self.checkpoint_bytes.saturating_mul(2).min(self.options.journal_bytes_max / 4);
        let aged = now.saturating_sub(self.last_tried) >= self.options.age;
        let due = bytes >= self.options.journal_bytes || plans >= self.options.plans || aged;
        // A full journal gets room from nothing else.
        (due && worth_it) || index.is_full()
    }

    /// Whether the next start would redo so much that a checkpoint costs less.
    pub(super) fn stop_is_worth_a_checkpoint(&self) -> bool {
        let index = &self.files.index;
        let plans = index.durable_lsn().since(self.checkpoints.first().copied().unwrap_or_default());
        let bytes = index.written_bytes().saturating_sub(self.written_before);
        plans > 0 && bytes >= self.options.stop_journal_bytes.max(self.checkpoint_bytes)
    }

    /// Writes a checkpoint now.
    ///
    /// # Errors
    /// It could not be written; the older ones stand.
    pub fn checkpoint(&mut self, source: &mut dyn CheckpointSource) -> io::Result<()> {
        self.last_tried = self.clock.monotonic();
        self.next_try = self.last_tried.saturating_add(RETRY);
        let written_before = self.files.index.written_bytes();
        // 1. Write it, make it durable, read it back.
        self.cleared = false;
        let written = write_checkpoint(self.files.storage.as_ref(), self.files.store_id, source)?;
        self.cleared = true;
        self.next_try = self.last_tried;
        self.written_before = written_before;
        self.checkpoint_bytes = written.bytes;
        self.note_success(written.bytes);
        self.checkpoints.retain(|lsn| *lsn != written.covered);
        self.checkpoints.insert(0, written.covered);
        self.checkpoints.truncate(2);
        self.files.index.set_checkpoint_lsn(written.covered);
        tracing::info!(lsn = %written.covered, bytes = written.bytes, "wrote a checkpoint");
        // 2. Only then may older ones go, and only behind two that read; a backup may still be copying one.
        if self.checkpoints.len() == 2 && !self.needs.backups().any() {
            delete_checkpoints_but(self.files.storage.as_ref(), &self.checkpoints)?;
        }
        Ok(())
    }

    /// Writes the state once more, as the checkpoint of the last plan but one: what followed its covered LSN may be in a
    /// checkpoint. With two that hold everything, the journal before them may go.
    fn checkpoint_one_behind(&mut self, source: &mut dyn CheckpointSource) -> io::Result<()> {
        self.next_try = self.clock.monotonic().saturating_add(RETRY);
        let newest = self.checkpoints.first().copied().unwrap_or_default();
        let mut reader = JournalReader::new(self.files.clone(), newest);
        let frame = reader.next_frame().map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
        let last = PlanRecord::decode(frame.body).map_err(io::Error::other)?;
        let before = Sequence(last.first_sequence.0.saturating_sub(1));
        let covered = ChainEnd { lsn: Lsn(newest.0.saturating_sub(1)), chain: frame.chain_before };
        self.cleared = false;
        let (storage, store_id) = (self.files.storage.as_ref(), self.files.store_id);
        let written = write_earlier_checkpoint(storage, store_id, source, covered, before)?;
        self.cleared = true;
        self.checkpoints.truncate(1);
        self.checkpoints.push(written.covered);
        delete_checkpoints_but(self.files.storage.as_ref(), &self.checkpoints)
    }

    /// What lies up to here is in two checkpoints, and every sink has acknowledged it.
    fn watermark(&self) -> Lsn {
        // With one checkpoint nothing may go: should it turn out unreadable, the journal is all there is.
        let checkpoint = self.checkpoints.get(1).copied().unwrap_or_default();
        let readers = self.needs.readers().into_iter().map(|(_, lsn)| before(lsn)).min();
        readers.map_or(checkpoint, |reader| reader.min(checkpoint))
    }

    /// What keeps the oldest segment, by the name that `journal.pinned_by` shows: of several, the one that needs most.
    /// `None` if it goes with the next turn, or is the only one.
    #[must_use]
    pub fn pinned_by(&self) -> Option<Arc<str>> {
        let segments = self.files.index.list();
        let (first_kept, _) = segments.get(1)?;
        let last_lsn = before(*first_kept);
        if self.needs.backups().any() {
            return Some("backup".into());
        }
        let readers = self.needs.readers().into_iter().map(|(reader, lsn)| (before(lsn), reader));
        if let Some((_, reader)) = readers.filter(|(lsn, _)| *lsn < last_lsn).min() {
            return Some(reader);
        }
        let is_checkpointed = self.checkpoints.get(1).is_some_and(|older| *older >= last_lsn);
        Some(if is_checkpointed { "retain".into() } else { "checkpoint".into() })
    }

    /// Deletes segments below the watermark, oldest first, as long as more than enough is left; gives how many.
    fn delete_segments(&self, source: &mut dyn CheckpointSource) -> io::Result<usize> {
        if self.needs.backups().any() || self.files.index.directory_failed() {
            return Ok(0);
        }
        let (index, storage) = (&self.files.index, &self.files.storage);
        // Where room is short, what is kept only for replays goes first.
        let budget = self.options.journal_bytes_max.saturating_sub(self.options.journal_bytes_max / 4);
        let keep = if index.is_full() { 0 } else { self.options.retain_bytes.min(budget) };
        let watermark = self.watermark();
        let segments = index.list();
        let mut bytes: u64 = segments.iter().map(|(_, info)| info.bytes).sum();
        let mut deleted = 0_usize;
        for (segment, following) in segments.iter().zip(segments.iter().skip(1)) {
            let (base_lsn, info) = *segment;
            let last_lsn = Lsn(following.0.0.saturating_sub(1));
            let enough = deleted >= DELETIONS_MAX && !index.is_full();
            if last_lsn > watermark || bytes.saturating_sub(info.bytes) < keep || enough {
                break;
            }
            // The deletion before this one is made durable first: a crash, or a failed sync, may take back the last one
            // only, which leaves no hole among the segments.
            if let Err(error) = storage.sync_dir(JOURNAL_DIR) {
                // The kernel may have dropped what it could not write: a later success would say nothing of it, and one
                // more deletion could leave a hole.
                index.set_directory_failed();
                tracing::error!(%error, "nothing more is deleted from the journal until a restart");
                return Err(error);
            }
            storage.remove(&segment_path(base_lsn))?;
            index.forget(base_lsn);
            bytes = bytes.saturating_sub(info.bytes);
            deleted += 1;
            // Each deletion costs the file system a moment that commands wait for, too.
            if source.throttle().is_err() {
                break;
            }
        }
        if deleted > 0 {
            tracing::info!(deleted, %watermark, "deleted segments that nobody needs");
        }
        Ok(deleted)
    }
}

/// What a checkpoint takes on the disk.
fn checkpoint_bytes(storage: &dyn crate::contracts::Storage, lsn: Lsn) -> u64 {
    let path = format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(lsn));
    storage.open_read_only(&path).and_then(|file| file.len()).unwrap_or(0)
}

/// The plan before: a reader's own plan stays, so that its position can be checked against it.
const fn before(lsn: Lsn) -> Lsn {
    Lsn(lsn.0.saturating_sub(1))
}

#[cfg(test)]
#[path = "retention_test.rs"]
mod tests;
