//! Keeps the store small: checkpoints when enough has been written, and the deletion of what nobody needs any more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::{CheckpointSource, delete_checkpoints_but, verify_checkpoint, write_checkpoint};
use crate::contracts::{Clock, Lsn};
use crate::journal::{JOURNAL_DIR, JournalFiles, list_checkpoints, segment_path};

/// When to write a checkpoint, and how much of the journal to keep for replays.
#[derive(Debug, Clone, Copy)]
pub struct HousekeeperOptions {
    /// Journal bytes since the last checkpoint; a larger checkpoint waits until as much as its own size was written,
    /// so that checkpoints never cost more than the journal itself.
    pub journal_bytes: u64,
    /// Plans since the last checkpoint.
    pub plans: u64,
    /// Time since the last checkpoint.
    pub age: Duration,
    /// How much of the journal stays although nobody needs it.
    pub retain_bytes: u64,
    /// The most that the journal may take; retention makes room before it is reached.
    pub journal_bytes_max: u64,
}

/// Writes checkpoints and deletes what is behind them. It has no thread of its own.
pub struct Housekeeper {
    files: JournalFiles,
    clock: Arc<dyn Clock>,
    options: HousekeeperOptions,
    /// The positions of all cursors; what they point to is needed.
    cursors: Box<dyn Fn() -> Vec<Lsn> + Send>,
    /// Checkpoints that are known to read, newest first; at most two.
    checkpoints: Vec<Lsn>,
    checkpoint_bytes: u64,
    looked_for_older: bool,
    written_before: u64,
    last_tried: Duration,
    next_try: Duration,
}

/// After a failed checkpoint, the wait before the next.
const RETRY: Duration = Duration::from_secs(5);

impl Housekeeper {
    /// A housekeeper of a store that was opened from the checkpoint `loaded`, or from none.
    #[must_use]
    pub fn new(
        files: JournalFiles,
        clock: Arc<dyn Clock>,
        options: HousekeeperOptions,
        loaded: Lsn,
        cursors: Box<dyn Fn() -> Vec<Lsn> + Send>,
    ) -> Self {
        let checkpoints = if loaded > Lsn::ZERO { vec![loaded] } else { Vec::new() };
        let last_tried = clock.monotonic();
        Self {
            files,
            clock,
            options,
            cursors,
            checkpoints,
            checkpoint_bytes: 0,
            looked_for_older: false,
            written_before: 0,
            last_tried,
            next_try: last_tried,
        }
    }

    /// Does what is due. Failures are logged and tried again later: nothing depends on them but disk space and the time
    /// that a restart takes.
    pub fn turn(&mut self, source: &mut dyn CheckpointSource) {
        if self.checkpoint_is_due()
            && let Err(error) = self.checkpoint(source)
        {
            tracing::warn!(%error, "the checkpoint could not be written; the journal grows until one can");
        }
        if self.files.index.is_full() && self.checkpoints.len() == 1 && !self.looked_for_older {
            self.looked_for_older = true;
            self.find_older();
        }
        if let Err(error) = self.delete_segments() {
            tracing::warn!(%error, "a segment that nobody needs could not be deleted; it is tried again");
        }
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
        let worth_it = bytes >= self.checkpoint_bytes.min(self.options.journal_bytes_max / 4);
        let due = bytes >= self.options.journal_bytes || plans >= self.options.plans;
        // A full journal gets room from nothing else.
        (due && worth_it) || index.is_full() || now.saturating_sub(self.last_tried) >= self.options.age
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
        let written = write_checkpoint(self.files.storage.as_ref(), self.files.store_id, source)?;
        self.next_try = self.last_tried;
        self.written_before = written_before;
        self.checkpoint_bytes = written.bytes;
        self.checkpoints.retain(|lsn| *lsn != written.covered);
        self.checkpoints.insert(0, written.covered);
        self.checkpoints.truncate(2);
        self.files.index.set_checkpoint_lsn(written.covered);
        tracing::info!(lsn = %written.covered, bytes = written.bytes, "wrote a checkpoint");
        // 2. Only then may older ones go, and only behind two that read.
        if self.checkpoints.len() == 2 {
            delete_checkpoints_but(self.files.storage.as_ref(), &self.checkpoints)?;
        }
        Ok(())
    }

    /// A start reads one checkpoint and no more. Where nothing can be written and so no other will come, the one before
    /// counts, too, if it reads.
    fn find_older(&mut self) {
        let (storage, store_id) = (self.files.storage.as_ref(), self.files.store_id);
        let newest = self.checkpoints.first().copied().unwrap_or_default();
        let listed = list_checkpoints(storage).unwrap_or_default();
        let mut older = listed.into_iter().filter(|lsn| *lsn < newest);
        self.checkpoints.extend(older.find(|lsn| verify_checkpoint(storage, store_id, *lsn).is_ok()));
    }

    /// What lies up to here is in two checkpoints, and every sink has acknowledged it.
    fn watermark(&self) -> Lsn {
        // With one checkpoint nothing may go: should it turn out unreadable, the journal is all there is.
        let checkpoint = self.checkpoints.get(1).copied().unwrap_or_default();
        // A cursor's own plan stays, so that the cursor can be checked against it.
        let cursors = (self.cursors)().into_iter().map(|lsn| Lsn(lsn.0.saturating_sub(1))).min();
        cursors.map_or(checkpoint, |cursor| cursor.min(checkpoint))
    }

    /// Deletes segments below the watermark, oldest first, as long as more than enough is left.
    fn delete_segments(&self) -> io::Result<()> {
        let (index, storage) = (&self.files.index, &self.files.storage);
        let (_, mut bytes) = index.totals();
        // Where room is short, what is kept only for replays goes first.
        let budget = self.options.journal_bytes_max.saturating_sub(self.options.journal_bytes_max / 4);
        let keep = if index.is_full() { 0 } else { self.options.retain_bytes.min(budget) };
        let watermark = self.watermark();
        let segments = index.list();
        let mut deleted = 0_usize;
        for (segment, following) in segments.iter().zip(segments.iter().skip(1)) {
            let (base_lsn, info) = *segment;
            let last_lsn = Lsn(following.0.0.saturating_sub(1));
            if last_lsn > watermark || bytes.saturating_sub(info.bytes) < keep {
                break;
            }
            // The deletion before this one is made durable first: a crash, or a failed sync, may take back the last one
            // only, which leaves no hole among the segments.
            storage.sync_dir(JOURNAL_DIR)?;
            storage.remove(&segment_path(base_lsn))?;
            index.forget(base_lsn);
            bytes = bytes.saturating_sub(info.bytes);
            deleted += 1;
        }
        if deleted > 0 {
            tracing::info!(deleted, %watermark, "deleted segments that nobody needs");
        }
        Ok(())
    }
}
