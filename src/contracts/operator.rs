//! What operators ask of sinks, lanes, replays and the store, and why they are refused.

use uuid::Uuid;

use super::{Lsn, Sequence};
use crate::domain::{OrderId, Timestamp};

/// One request of an operator or observer. `reason` is recorded with the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the params of the methods, which docs/protocol.md describes")]
pub enum OperatorRequest {
    /// `sink.list`: the server fills in what it knows of each sink once the executor has answered.
    SinkList,
    /// `sink.show`
    SinkShow { sink: String },
    /// `sink.pause`
    SinkPause { sink: String, reason: Option<String> },
    /// `sink.resume`
    SinkResume { sink: String, reason: Option<String> },
    /// `sink.retry`: ends every back-off; nothing is recorded.
    SinkRetry { sink: String, reason: Option<String> },
    /// `sink.skip_to`
    SinkSkipTo { sink: String, to: SkipTo, reason: String, dry_run: bool },
    /// `sink.forget`
    SinkForget { sink: String, reason: String },
    /// `lane.list`
    LaneList { sink: String, filter: LaneFilter, after: Option<OrderId>, limit: usize },
    /// `lane.show`
    LaneShow { sink: String, order_id: OrderId },
    /// `lane.requeue`
    LaneRequeue { sink: String, target: RequeueTarget, limit: Option<usize>, reason: Option<String>, dry_run: bool },
    /// `lane.skip`
    LaneSkip { sink: String, order_id: OrderId, sequence: Sequence, reason: String },
    /// `lane.park`
    LanePark { sink: String, order_id: OrderId, reason: String },
    /// `replay.start`
    ReplayStart(ReplayRequest),
    /// `replay.list`
    ReplayList,
    /// `replay.cancel`
    ReplayCancel { replay_id: Uuid, reason: Option<String> },
    /// `decision.list`
    DecisionList { after_lsn: Lsn, limit: usize },
    /// `order.trace`
    OrderTrace { order_id: OrderId },
    /// `store.pin`: keeps the journal from a position on until it is unpinned or the connection closes.
    StorePin,
    /// `store.unpin`
    StoreUnpin { pin: u64 },
    /// A connection that may have pinned has closed: everything that it pinned is let go. From the server; nobody waits
    /// for the answer.
    StoreUnpinAll,
}

/// Where a sink is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipTo {
    /// With this event.
    Sequence(Sequence),
    /// After the last durable event.
    End,
}

/// Which lanes are meant; both must fit where both are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneFilter {
    /// Lanes in this state.
    pub state: Option<super::LaneState>,
    /// Lanes whose reason contains this text.
    pub reason_contains: Option<String>,
}

/// Which lanes are handed out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequeueTarget {
    /// One order's.
    Order(OrderId),
    /// All that fit.
    All(LaneFilter),
}

/// What `replay.start` asks for; both ends are included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRequest {
    /// The sink that gets the events again.
    pub sink: String,
    /// The first event.
    pub from: ReplayBound,
    /// The last event.
    pub to: ReplayBound,
    /// Event types; empty for all.
    pub types: Vec<super::EventType>,
    /// Only this order's events.
    pub order_id: Option<OrderId>,
    /// Events per second at most.
    pub rate_events_per_s_max: u32,
    /// Recorded with the decision.
    pub reason: Option<String>,
    /// Answer what it would be, and start nothing.
    pub dry_run: bool,
}

/// One end of a replay's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayBound {
    /// This event.
    Sequence(Sequence),
    /// The first or last event at or inside this time.
    Time(Timestamp),
}

/// Why an operator's request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum OperatorRefusal {
    /// 1201
    #[error("there is no sink {0}; `sink.list` names them")]
    SinkNotFound(String),
    /// 1205
    #[error("{0}")]
    LaneNotFound(String),
    /// 1206
    #[error("{problem}; the oldest sequence held is {oldest}")]
    OutOfRange { problem: String, oldest: Sequence },
    /// 1207
    #[error("there is no replay {0}; `replay.list` names them")]
    ReplayNotFound(Uuid),
    /// 1101: more may run once one of them has ended.
    #[error(
        "sink {sink} runs {running} replays, as many as replays_max allows; wait until one has ended, or cancel one"
    )]
    TooManyReplays { sink: String, running: usize },
    /// 1101: a moment later it can be.
    #[error("{0}; ask again in a moment")]
    NotYet(String),
    /// 1208
    #[error("sink {0} is configured; remove it from the configuration and restart before it can be forgotten")]
    SinkConfigured(String),
    /// -32602: the request cannot mean anything here.
    #[error("{0}")]
    Invalid(String),
    /// -32603: what is stored cannot be read.
    #[error("{0}")]
    Unreadable(String),
}
