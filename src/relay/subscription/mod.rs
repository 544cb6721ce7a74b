//! A sink whose events go to whichever program is attached: one thread with the connection, the feed and the cursor.
//!
//! ```text
//!   feed ─▶ content ─▶ scheduler ─▶ connection ─▶ program
//!                        │    ▲         │
//!              wishes ───┘    └─────────┴── outcomes
//!                 │     ▲
//!                 ▼     └── durable decisions
//!             executor                        cursor ◀── prefix and window
//! ```
//!
//! Nothing here waits for anything but the poll: a program that does not read stops itself, and nobody else.

mod connection;
mod consumer;
mod content;
mod decisions;
mod next;
#[cfg(test)]
mod program_test;
mod protocol;
mod replay;
mod replays;
mod run;
mod saving;
mod settings;
mod snapshot;
mod snapshot_rows;
#[cfg(test)]
mod subscription_test;
#[cfg(test)]
mod testing;
mod turn;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mio::{Poll, Token, Waker};

pub use protocol::{AttachRefusal, ClosingKind, Notification, refused};
pub use settings::{SubscriptionPorts, SubscriptionSettings};

use super::deciding::Deciding;
use super::scheduler::{Scheduler, Snapshot, Stored, StoredLane};
use super::snapshot::SnapshotFeed;
use super::{Backoff, Control, Heartbeat, Seat, Step, WorkerError};
use crate::contracts::{
    AttachInbox, Clock, Decision, DecisionInbox, EventHistory, Progress, ProgressKind, ReplayProgress, ReplayState,
    Sequence, SinkMonitor, SinkRecord, SinkStatus, SinkType, SinkView,
};
use crate::domain::{OrderId, Timestamp};
use connection::{Consumer, Lingering};
use content::Content;
use decisions::{ParkedEvents, bytes_of};
use replay::Replay;
use saving::Saving;
use snapshot_rows::SnapshotRows;
use view::Shared;

const WAKE: Token = Token(0);

/// The worker of one subscription.
pub struct Subscription {
    settings: SubscriptionSettings,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    content: Content,
    /// The snapshot that comes before the live events, while it is handed out.
    snapshot: Option<SnapshotRows>,
    /// Why the feed cannot be read, and when it is tried again.
    unreadable: Option<(String, Duration)>,
    parked: ParkedEvents,
    replays: Vec<Replay>,
    history: Arc<dyn EventHistory>,
    replay_progress: Arc<dyn ReplayProgress>,
    saving: Saving,
    deciding: Deciding,
    /// Decisions of the worker's own, beside the scheduler's wishes.
    others: Vec<Decision>,
    inbox: Arc<DecisionInbox>,
    attaches: Arc<AttachInbox>,
    consumer: Option<Consumer>,
    lingering: Vec<(Token, Lingering)>,
    last_token: usize,
    poll: Poll,
    control: Arc<Control>,
    monitor: Arc<SinkMonitor>,
    heartbeat: Arc<Heartbeat>,
    delivered_total: u64,
    /// When the first event that was not read yet happened, while nobody reads: looked up once.
    unread_since: Option<(Sequence, Timestamp)>,
    /// When the daemon was told to stop: until then outcomes are taken.
    drain_until: Option<Duration>,
}

impl Subscription {
    /// A worker that goes on from what is recorded of its sink and from its progress.
    ///
    /// # Errors
    /// [`WorkerError::Io`]: there is no poll to be had.
    pub fn new(
        settings: SubscriptionSettings,
        ports: SubscriptionPorts,
        record: &SinkRecord,
        progress: Box<dyn Progress>,
    ) -> Result<Self, WorkerError> {
        let poll = Poll::new()?;
        let control = Arc::new(Control::with_waker(Waker::new(poll.registry(), WAKE)?));
        let waker = |control: &Arc<Control>| -> Box<dyn Fn() + Send + Sync> {
            let control = Arc::clone(control);
            Box::new(move || control.wake())
        };
        let now = ports.clock.monotonic();
        let (base, rows_read) = (progress.position(), progress.details().rows);
        let history = Arc::clone(&ports.history);
        let snapshot = SnapshotFeed::of(record, base, rows_read, ports.rows, history, waker(&control).into());
        let stored = stored(record, progress.as_ref(), &ports.lane_rows);
        let scheduler = Scheduler::new(settings.limits.clone(), stored, now);
        let status = SinkStatus::new(settings.name.to_string(), SinkType::Subscription, scheduler.standing().prefix);
        let limits = &settings.limits;
        let backoff = Backoff::new(limits.backoff_min, limits.backoff_max, limits.seed.wrapping_add(1));
        let mut saving = Saving::new(progress, settings.cursor_events_max, settings.cursor_delay_max, backoff);
        saving.begin(scheduler.settled_count());
        let content_bytes_max = limits.in_flight_bytes_max.saturating_mul(4);
        let mut subscription = Self {
            snapshot: snapshot.map(SnapshotRows::new),
            replays: Vec::new(),
            history: Arc::clone(&ports.history),
            replay_progress: ports.replays,
            content: Content::new(ports.history, base, content_bytes_max),
            unreadable: None,
            parked: record.lanes.iter().map(|(order_id, lane)| (*order_id, lane.events.clone())).collect(),
            deciding: Deciding::new(Arc::clone(&settings.name), settings.uid, ports.decide),
            others: Vec::new(),
            inbox: Arc::new(DecisionInbox::new(waker(&control))),
            attaches: Arc::new(AttachInbox::new(waker(&control))),
            consumer: None,
            lingering: Vec::new(),
            last_token: WAKE.0,
            shared: Arc::new(Shared::new(scheduler, Arc::clone(&ports.clock), settings.failures_listed_max)),
            clock: ports.clock,
            monitor: Arc::new(SinkMonitor::new(status)),
            heartbeat: Arc::default(),
            delivered_total: 0,
            unread_since: None,
            drain_until: None,
            saving,
            settings,
            poll,
            control,
        };
        for replay in &record.replays {
            match replay.state {
                ReplayState::Running => subscription.start_replay(&replay.spec, now),
                // A crash may have come between its end and the removal of its cursor.
                ReplayState::Done | ReplayState::Cancelled => subscription.end_replay(replay.spec.replay_id),
            }
        }
        if subscription.snapshot.is_some() {
            // A crash may have come before the cursor said that they are parked.
            record.lanes.keys().for_each(|order_id| subscription.note_unsaved_row(*order_id, now));
        }
        // What is parked shows at once, not only after the first turn.
        subscription.show();
        Ok(subscription)
    }

    /// What `daemon.status` shows of this sink.
    #[must_use]
    pub fn monitor(&self) -> Arc<SinkMonitor> {
        Arc::clone(&self.monitor)
    }

    /// What a watchdog looks at.
    #[must_use]
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        Arc::clone(&self.heartbeat)
    }

    /// What only this worker knows.
    #[must_use]
    pub fn view(&self) -> Arc<dyn SinkView> {
        Arc::clone(&self.shared) as Arc<dyn SinkView>
    }

    /// Where durable decisions are put.
    #[must_use]
    pub fn inbox(&self) -> Arc<DecisionInbox> {
        Arc::clone(&self.inbox)
    }

    /// Where the server puts connections.
    #[must_use]
    pub fn attaches(&self) -> Arc<AttachInbox> {
        Arc::clone(&self.attaches)
    }

    /// What wakes and stops it.
    #[must_use]
    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// Takes a seat: from now on it is reached there.
    pub fn take_seat(&mut self, seat: &Seat) {
        let status = self.monitor.read();
        seat.monitor.update(|shown| *shown = status);
        (self.monitor, self.heartbeat) = (Arc::clone(&seat.monitor), Arc::clone(&seat.heartbeat));
        (self.inbox, self.attaches) = (Arc::clone(&seat.inbox), Arc::clone(&seat.attaches));
        seat.view.set_worker(Some(self.view()));
        seat.control.set_follower(Some(Arc::clone(&self.control)));
    }
}

/// What the scheduler goes on from.
fn stored(record: &SinkRecord, progress: &dyn Progress, rows: &HashMap<OrderId, Sequence>) -> Stored {
    let (position, details) = (progress.position().sequence, progress.details());
    let snapshot = record.running_snapshot().map(|start| Snapshot { at: position, rows: start.orders });
    let prefix = snapshot.map_or(position, |_| Sequence(details.rows));
    // A crash may have come after the end of a snapshot, and before the cursor said so: then nothing after it is settled.
    let is_over = details.kind == ProgressKind::Snapshot && snapshot.is_none();
    let ahead = details.window.settled().filter(|_| !is_over).map(|at| prefix.plus(at));
    // What was skipped of a snapshot carries its position in place of a row.
    let (skipped, skipped_after): (Vec<_>, Vec<_>) = match snapshot {
        None => (record.skipped_events.clone(), Vec::new()),
        Some(Snapshot { at, .. }) => {
            (Vec::new(), record.skipped_events.iter().copied().filter(|skipped| *skipped > at).collect())
        }
    };
    let lanes = record.lanes.iter().map(|(order_id, lane)| StoredLane {
        order_id: *order_id,
        state: lane.state,
        attempts: lane.attempts,
        reason: Arc::clone(&lane.reason),
        events: lane.events.iter().map(|event| (event.sequence, bytes_of(event))).collect(),
        row: rows.get(order_id).copied(),
    });
    Stored {
        prefix,
        settled: ahead.chain(skipped).collect(),
        settled_after: skipped_after,
        skips: record.skipped.clone(),
        lanes: lanes.collect(),
        paused: record.paused,
        halted: record.halted,
        snapshot,
    }
}
