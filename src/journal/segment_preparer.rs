//! Makes the next segment before it is needed.

use std::io;

use super::prepared::{PREPARED_PATH, PreparedSegment};
use super::{JOURNAL_DIR, JournalHandle};

/// Makes segments ahead, on whichever thread has time for it.
#[derive(Clone)]
pub struct SegmentPreparer {
    files: JournalHandle,
    bytes_max: u64,
}

impl SegmentPreparer {
    /// Segments as the writer wants them, as long as the whole journal takes no more than `bytes_max`.
    #[must_use]
    pub const fn new(files: JournalHandle, bytes_max: u64) -> Self {
        Self { files, bytes_max }
    }

    /// Makes the next segment, if it will be needed soon and there is none. Where there is no room for it, the writer
    /// finds out when it needs one.
    pub fn turn(&self) {
        let index = &self.files.index;
        let Some(capacity) = index.wants_prepared() else { return };
        let fits = index.totals().1.saturating_add(capacity) <= self.bytes_max;
        if index.is_full() || index.directory_failed() || !fits {
            return;
        }
        match self.prepare(capacity) {
            Ok(prepared) => index.put_prepared(prepared),
            Err(error) => {
                index.forgo_prepared();
                tracing::debug!(%error, "no segment could be made ahead");
            }
        }
    }

    fn prepare(&self, capacity: u64) -> io::Result<PreparedSegment> {
        let storage = self.files.storage.as_ref();
        // The crash story. A crash at any step leaves no segment of this name, or one without a header.
        // 1. The segment that had the name before has its own for good: the name is free.
        self.sync_dir()?;
        // 2. Room, which reads as zeros, and its length.
        let file = storage.create(PREPARED_PATH)?;
        if let Err(error) = file.allocate(capacity).and_then(|()| file.sync_data()) {
            // Should this fail, too, the next start does it.
            drop(storage.remove(PREPARED_PATH));
            return Err(error);
        }
        // 3. The name: the segment may be used before it has another.
        self.sync_dir()?;
        Ok(PreparedSegment { file, capacity })
    }

    fn sync_dir(&self) -> io::Result<()> {
        // After a failure a success says nothing of what was there before it: the name is not used again.
        self.files.storage.sync_dir(JOURNAL_DIR).inspect_err(|_| self.files.index.set_directory_failed())
    }
}
