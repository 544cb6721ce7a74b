//! What plans decide about delivery: sinks, parked lanes, replays. A decision is durable before anybody acts on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Lsn, PublishedEvent, Sequence};
use crate::domain::{OrderEvent, OrderId, Timestamp};

/// What a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// Lines appended to a file.
    File,
    /// Lines on standard output.
    Stdout,
    /// Handed to whichever program is attached.
    Subscription,
}

/// The kinds of events that orders raise, for filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventType {
    /// `OrderPlaced`
    OrderPlaced,
    /// `OrderCompleted`
    OrderCompleted,
    /// `OrderCancelled`
    OrderCancelled,
}

impl EventType {
    /// The type of an event; none of a snapshot's, which no order raises and the journal does not hold.
    #[must_use]
    pub const fn of(event: &OrderEvent) -> Option<Self> {
        match event {
            OrderEvent::Placed(_) => Some(Self::OrderPlaced),
            OrderEvent::Completed(_) => Some(Self::OrderCompleted),
            OrderEvent::Cancelled(_) => Some(Self::OrderCancelled),
            OrderEvent::Snapshot(_) => None,
        }
    }
}

/// Why a lane is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// It failed while others got through; it is tried again by itself.
    Retrying,
    /// The target will never take its first event; it waits for an operator.
    Rejected,
    /// Parked by hand; it waits for an operator.
    Held,
    /// An operator has handed it out again; it stays here until all its events went through.
    Requeued,
}

impl LaneState {
    /// The state of a lane that was in state `before` and is parked again: only an operator ends a hold, also if this
    /// was decided before the hold was heard of.
    #[must_use]
    pub const fn onto(self, before: Option<Self>) -> Self {
        match before {
            Some(Self::Held) => Self::Held,
            Some(Self::Retrying | Self::Rejected | Self::Requeued) | None => self,
        }
    }

    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Requeued => "requeued",
        }
    }
}

/// One decision about delivery, as a plan carries it and the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The sink that it is about.
    pub sink: Arc<str>,
    /// When it was made.
    pub at: Timestamp,
    /// The Unix user who asked for it; the daemon's own where nobody did.
    pub uid: u32,
    /// Why; empty where none was given.
    pub reason: Arc<str>,
    /// What was decided.
    pub kind: DecisionKind,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionKind {
    /// A sink was first seen, or has another type from here on.
    Registered(SinkStartPoint),
    /// A sink that is no longer configured is let go, with its cursor and parked lanes.
    Forgotten,
    /// Events of one order are taken out of the stream, oldest first; a lane that is parked already gets them at its end
    /// and takes the state, unless both are the same.
    Parked {
        /// The order.
        order_id: OrderId,
        /// Why, as a class; the text is the decision's reason.
        state: LaneState,
        /// How often the first event was tried.
        attempts: u32,
        /// The events, in the order of their versions. May be empty: then only state, attempts and reason change.
        events: Vec<Arc<PublishedEvent>>,
    },
    /// A parked lane is handed out again.
    Requeued {
        /// The order.
        order_id: OrderId,
    },
    /// Parked events got through; they leave their lanes. Workers make one decision for each event.
    Delivered {
        /// Each order with the sequence of its event; in the order in which they got through.
        events: Vec<(OrderId, Sequence)>,
    },
    /// The first event of a parked lane is passed over for good.
    LaneSkipped {
        /// The order.
        order_id: OrderId,
        /// The event.
        sequence: Sequence,
    },
    /// Everything of a sink from `from` to `to` that is not parked or delivered is passed over for good.
    RangeSkipped {
        /// The first event passed over.
        from: Sequence,
        /// The last event passed over.
        to: Sequence,
    },
    /// Nothing is handed out until `Resumed`.
    Paused,
    /// Handing out goes on, also after `Halted`.
    Resumed,
    /// Too much is parked: nothing new is handed out until `Resumed`.
    Halted,
    /// A range of events is handed out again, beside the live ones.
    ReplayStarted(ReplaySpec),
    /// A replay has ended.
    ReplayEnded {
        /// Which one.
        replay_id: Uuid,
        /// Whether an operator ended it before its time.
        cancelled: bool,
        /// Events that the sink took.
        delivered: u64,
        /// Events that were given up.
        failed: u64,
    },
    /// The start of a snapshot's delivery is over: every order of it was settled.
    SnapshotEnded,
    /// A backup was made into this store; the epoch is the new one.
    Restored {
        /// The store's epoch from here on.
        epoch: u32,
    },
}

/// Where a sink starts that was not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStartPoint {
    /// What the sink is.
    pub sink_type: SinkType,
    /// It gets the events after this one.
    pub after: Sequence,
    /// Whether it first gets every order as of `after`, and what there was then.
    pub snapshot: Option<SnapshotStart>,
    /// `daemon.event_source` when it was registered, for snapshots.
    pub source: Arc<str>,
}

/// What a snapshot begins with, beside its position: with it every byte of the snapshot follows from the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotStart {
    /// How many orders there were: the rows of the snapshot.
    pub orders: u64,
    /// The store's epoch then.
    pub epoch: u32,
    /// The last plan then: what later ones have changed is not shown.
    pub lsn: Lsn,
}

/// A replay as it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaySpec {
    /// Names it.
    pub replay_id: Uuid,
    /// The first event of the range.
    pub from: Sequence,
    /// The last event of the range.
    pub to: Sequence,
    /// Only events of these types; empty for all.
    pub types: Vec<EventType>,
    /// Only this order's events.
    pub order_id: Option<OrderId>,
    /// Events per second at most.
    pub rate_events_per_s_max: u32,
}

/// What plans have decided about one sink: part of the state, of checkpoints and of recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRecord {
    /// The sink's name.
    pub name: Arc<str>,
    /// Where it started.
    pub start: SinkStartPoint,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Whether too much was parked, and nobody has resumed it since.
    pub halted: bool,
    /// Whether the snapshot that it starts with is still being delivered.
    pub snapshot_running: bool,
    /// Parked lanes by order.
    pub lanes: BTreeMap<OrderId, ParkedLane>,
    /// Parked events over all lanes.
    pub parked_events: u64,
    /// Their stored bytes.
    pub parked_bytes: u64,
    /// Ranges passed over for good, ascending, as long as the journal holds them.
    pub skipped: Vec<(Sequence, Sequence)>,
    /// Single parked events passed over for good, ascending, as long as the journal holds them.
    pub skipped_events: Vec<Sequence>,
    /// Running replays, and the last ended ones.
    pub replays: Vec<ReplayRecord>,
}

impl SinkRecord {
    /// The record of a sink that was just registered.
    #[must_use]
    pub const fn new(name: Arc<str>, start: SinkStartPoint) -> Self {
        Self {
            name,
            paused: false,
            halted: false,
            snapshot_running: start.snapshot.is_some(),
            start,
            lanes: BTreeMap::new(),
            parked_events: 0,
            parked_bytes: 0,
            skipped: Vec::new(),
            skipped_events: Vec::new(),
            replays: Vec::new(),
        }
    }

    /// The snapshot that is being handed out, if one is.
    #[must_use]
    pub fn running_snapshot(&self) -> Option<SnapshotStart> {
        self.start.snapshot.filter(|_| self.snapshot_running)
    }

    /// Whether a replay is under way.
    #[must_use]
    pub fn runs_a_replay(&self) -> bool {
        self.replays.iter().any(|replay| replay.state == ReplayState::Running)
    }

    /// Whether an event was passed over for good, by itself or in a range, as far as that is remembered.
    #[must_use]
    pub fn is_skipped(&self, sequence: Sequence) -> bool {
        self.skipped_events.binary_search(&sequence).is_ok()
            || self.skipped.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }
}

/// Events of one order that are out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedLane {
    /// Why.
    pub state: LaneState,
    /// Since when.
    pub since: Timestamp,
    /// How often the first event was tried before it was parked.
    pub attempts: u32,
    /// The reason in words.
    pub reason: Arc<str>,
    /// In the order of their versions; at least one.
    pub events: VecDeque<Arc<PublishedEvent>>,
}

/// A replay and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRecord {
    /// What was asked for.
    pub spec: ReplaySpec,
    /// Where it is; a running one's figures are its progress file's.
    pub state: ReplayState,
    /// Events that the sink took, once it has ended.
    pub delivered: u64,
    /// Events that were given up, once it has ended.
    pub failed: u64,
}

/// Where a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// Handing out.
    Running,
    /// All of it was settled.
    Done,
    /// An operator has ended it.
    Cancelled,
}
