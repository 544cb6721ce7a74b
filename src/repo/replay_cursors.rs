//! The cursors of replays, and the pins that keep their ranges in the journal.

use std::sync::Arc;

use uuid::Uuid;

use super::cursor::{self, CursorError, CursorFile};
use crate::contracts::{
    EventHistory, FeedError, JournalNeeds, Progress, ProgressDetails, ProgressKind, ReplayProgress, ReplaySpec,
    Sequence, Storage,
};

/// Keeps the progress of replays beside the cursors of their sinks.
pub struct ReplayCursors {
    /// Reads the outbox.
    pub history: Arc<dyn EventHistory>,
    /// Where the cursors are.
    pub storage: Arc<dyn Storage>,
    /// Whose cursors they are.
    pub store_id: Uuid,
    /// Keeps the range of a replay in the journal.
    pub needs: Arc<JournalNeeds>,
}

impl ReplayProgress for ReplayCursors {
    fn open(&self, sink: &str, spec: &ReplaySpec) -> Result<Box<dyn Progress>, FeedError> {
        let name = cursor::replay_name(sink, spec.replay_id);
        let cursor = match CursorFile::load(self.storage.as_ref(), &name, self.store_id)? {
            Some(cursor) => cursor,
            None => {
                let before = Sequence(spec.from.0.saturating_sub(1));
                let position = self.history.open_after(before)?.position();
                let details = ProgressDetails { kind: ProgressKind::Replay, ..ProgressDetails::default() };
                CursorFile::create_with(self.storage.as_ref(), &name, self.store_id, position, details)?
            }
        };
        let saved = cursor.saved();
        self.needs.add(pin_of(spec.replay_id), Box::new(move || saved.lsn()));
        Ok(Box::new(cursor))
    }

    fn close(&self, sink: &str, replay_id: Uuid) {
        self.needs.remove(&pin_of(replay_id));
        let name = cursor::replay_name(sink, replay_id);
        if let Err(error) = cursor::remove(self.storage.as_ref(), &name) {
            tracing::warn!(%error, "the cursor of a replay that has ended is still there");
        }
    }
}

impl From<CursorError> for FeedError {
    fn from(error: CursorError) -> Self {
        let problem = error.to_string();
        match error {
            CursorError::Damaged { .. } | CursorError::OtherFormat { .. } => Self::Damaged(problem),
            CursorError::WrongStore { .. } => Self::OtherHistory(problem),
            CursorError::Io { source, .. } => Self::Io(std::io::Error::new(source.kind(), problem)),
        }
    }
}

fn pin_of(replay_id: Uuid) -> Arc<str> {
    Arc::from(format!("replay:{}", replay_id.hyphenated()))
}
