//! What the replays of all kinds of sinks share: the filter, and how far it is.

use std::time::Duration;

use crate::contracts::{EventType, PublishedEvent, ReplaySpec, ReplayView, Sequence};

/// Whether a replay hands this event out.
pub(super) fn is_wanted(spec: &ReplaySpec, event: &PublishedEvent) -> bool {
    let is_inside = (spec.from..=spec.to).contains(&event.sequence);
    let event = &event.entry.event;
    let Some(event_type) = EventType::of(event) else { return false };
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
