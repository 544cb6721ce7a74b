//! What the replays of all kinds of sinks share: the cursor, the filter, the pin, and how far it is.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::cursor::{self, CursorError, CursorFile};
use super::cursor_format::{CursorKind, Details};
use crate::contracts::{
    EventHistory, EventType, FeedError, JournalNeeds, PublishedEvent, ReplaySpec, ReplayView, Sequence, Storage,
};
use crate::domain::OrderEvent;

/// What replays work with.
#[derive(Clone)]
pub struct ReplayPorts {
    /// Reads the outbox.
    pub history: Arc<dyn EventHistory>,
    /// Where the cursors of replays are.
    pub storage: Arc<dyn Storage>,
    /// Whose cursors they are.
    pub store_id: Uuid,
    /// Keeps the range of a replay in the journal.
    pub needs: Arc<JournalNeeds>,
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// Its range cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Its cursor cannot be had.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// Opens the cursor of a replay, or makes one before the first event of its range; and pins the range.
pub(super) fn open_cursor(ports: &ReplayPorts, sink: &str, spec: &ReplaySpec) -> Result<CursorFile, ReplayError> {
    let name = cursor::replay_name(sink, spec.replay_id);
    let cursor = match CursorFile::load(ports.storage.as_ref(), &name, ports.store_id)? {
        Some(cursor) => cursor,
        None => {
            let before = Sequence(spec.from.0.saturating_sub(1));
            let position = ports.history.open_after(before)?.position();
            let details = Details { kind: CursorKind::Replay, ..Details::default() };
            CursorFile::create_with(ports.storage.as_ref(), &name, ports.store_id, position, details)?
        }
    };
    let saved = cursor.saved();
    ports.needs.add(pin_of(spec.replay_id), Box::new(move || saved.lsn()));
    Ok(cursor)
}

/// A replay has ended: its range is let go of, and its cursor removed.
pub(super) fn close_cursor(ports: &ReplayPorts, sink: &str, replay_id: Uuid) {
    ports.needs.remove(&pin_of(replay_id));
    let name = cursor::replay_name(sink, replay_id);
    if let Err(error) = cursor::remove(ports.storage.as_ref(), &name) {
        tracing::warn!(%error, "the cursor of a replay that has ended is still there");
    }
}

fn pin_of(replay_id: Uuid) -> Arc<str> {
    Arc::from(format!("replay:{}", replay_id.hyphenated()))
}

/// Whether a replay hands this event out.
pub(super) fn is_wanted(spec: &ReplaySpec, event: &PublishedEvent) -> bool {
    let is_inside = (spec.from..=spec.to).contains(&event.sequence);
    let event = &event.entry.event;
    let event_type = match event {
        OrderEvent::Placed(_) => EventType::OrderPlaced,
        OrderEvent::Completed(_) => EventType::OrderCompleted,
        OrderEvent::Cancelled(_) => EventType::OrderCancelled,
    };
    let type_fits = spec.types.is_empty() || spec.types.contains(&event_type);
    is_inside && type_fits && spec.order_id.is_none_or(|order_id| order_id == event.order_id())
}

/// How fast a replay goes through its range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    since: Duration,
    from: Sequence,
}

impl Pace {
    pub(super) const fn new(since: Duration, from: Sequence) -> Self {
        Self { since, from }
    }

    /// What is shown of a replay that has come to `reached`.
    pub(super) fn view(&self, reached: Sequence, to: Sequence, counts: (u64, u64), now: Duration) -> ReplayView {
        let (delivered, failed) = counts;
        let (done, left) = (reached.since(self.from), to.since(reached));
        let elapsed = now.saturating_sub(self.since).as_millis();
        let eta = (done > 0).then(|| elapsed.saturating_mul(u128::from(left)) / u128::from(done.max(1)));
        ReplayView { delivered, failed, reached, eta_ms: eta.and_then(|eta| u64::try_from(eta).ok()) }
    }
}
