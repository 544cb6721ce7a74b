//! What operators have decided about a `file` or `stdout` sink.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Control;
use super::worker::Worker;
use crate::contracts::{DecisionInbox, DecisionKind, DecisionNews, Sequence, SinkRecord};

/// Whether the sink is paused, what it is to pass over, and where it hears of more.
pub(super) struct Orders {
    paused: bool,
    /// Ranges that are passed over for good and were not passed yet.
    skips: Vec<(Sequence, Sequence)>,
    inbox: Mutex<Option<Arc<DecisionInbox>>>,
}

impl Orders {
    pub(super) fn new(record: Option<&SinkRecord>) -> Self {
        let skips = record.map_or_else(Vec::new, |record| record.skipped.clone());
        Self { paused: record.is_some_and(|record| record.paused), skips, inbox: Mutex::default() }
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn inbox(&self, control: &Arc<Control>) -> Arc<DecisionInbox> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let control = Arc::clone(control);
        Arc::clone(inbox.get_or_insert_with(|| Arc::new(DecisionInbox::new(Box::new(move || control.wake())))))
    }

    pub(super) fn set_inbox(&mut self, inbox: Arc<DecisionInbox>) {
        self.inbox = Mutex::new(Some(inbox));
    }

    fn take(&self) -> impl Iterator<Item = DecisionNews> + use<> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let news = inbox.as_ref().map(|inbox| inbox.take()).unwrap_or_default();
        news.into_iter()
    }
}

impl Worker {
    /// Acts on what is durably decided.
    pub(super) fn hear(&mut self, now: Duration) {
        for news in self.orders.take() {
            match news {
                DecisionNews::Durable { ticket, decision, .. } => {
                    self.replays.heard(ticket);
                    self.act(&decision.kind, now);
                }
                DecisionNews::Retry => {
                    self.retry_now();
                    self.replays.retry_now();
                }
                DecisionNews::Full { ticket } => self.replays.full(ticket, now),
            }
        }
        self.pass_skipped(now);
    }

    fn act(&mut self, decision: &DecisionKind, now: Duration) {
        match decision {
            DecisionKind::Paused => self.orders.set_paused(true),
            DecisionKind::Resumed => self.orders.set_paused(false),
            DecisionKind::RangeSkipped { from, to } => self.orders.skips.push((*from, *to)),
            DecisionKind::ReplayStarted(spec) => self.start_replay(spec, now),
            DecisionKind::ReplayEnded { replay_id, .. } => self.replays.end(*replay_id),
            DecisionKind::SnapshotEnded => self.end_snapshot(now),
            DecisionKind::Registered(_)
            | DecisionKind::Forgotten
            | DecisionKind::Parked { .. }
            | DecisionKind::Requeued { .. }
            | DecisionKind::Delivered { .. }
            | DecisionKind::LaneSkipped { .. }
            | DecisionKind::Halted
            | DecisionKind::Restored { .. } => {}
        }
    }

    /// Every back-off ends now.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = None;
        self.source.close();
    }

    /// Passes over what was skipped, if it is what comes next.
    fn pass_skipped(&mut self, now: Duration) {
        let skips = std::mem::take(&mut self.orders.skips);
        let is_skipped = |sequence| skips.iter().any(|(from, to)| (*from..=*to).contains(&sequence));
        let in_snapshot = self.skip_snapshot(is_skipped, now);
        self.orders.skips = skips;
        if in_snapshot {
            return;
        }
        while let Some(at) = self.orders.skips.iter().position(|(from, to)| self.is_next(*from, *to)) {
            let (_, to) = self.orders.skips.swap_remove(at);
            match self.source.jump(to) {
                Ok(position) => self.go_on_after(position, now),
                Err(error) => {
                    self.orders.skips.push((Sequence::ZERO, to));
                    self.block(&error, now);
                    return;
                }
            }
        }
        let delivered = self.delivered().sequence;
        self.orders.skips.retain(|(_, to)| *to > delivered);
    }

    fn is_next(&self, from: Sequence, to: Sequence) -> bool {
        (from..=to).contains(&self.delivered().sequence.next())
    }
}
