//! What operators are answered: one JSON object for each method.

use std::fmt;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Decision, DecisionView, Failure, LaneState, Lsn, ReplayState, Sequence, SinkStatus, rfc3339};
use crate::domain::{CustomerId, EventId, OrderId, OrderState, OrderStatus, Timestamp};

/// The result object of a method.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the fields are those of the results, which docs/protocol.md describes")]
pub enum OperatorResult {
    /// `{}`
    Done {},
    /// Which events a verb touched, or would touch.
    Range(EventRange),
    /// `sink.list`
    Sinks { sinks: Vec<SinkStatus> },
    /// `sink.show`
    Sink { sink: Box<SinkStatus>, failures: Vec<Failure> },
    /// `lane.list`
    Lanes { lanes: Vec<LaneSummary>, next: Option<OrderId> },
    /// `lane.show`
    Lane { lane: Box<LaneSummary>, events: Vec<Json> },
    /// `lane.requeue`
    Requeued {
        lanes: u64,
        #[serde(flatten)]
        range: EventRange,
    },
    /// `replay.start`; without an id nothing was started.
    ReplayStarted {
        replay_id: Option<Uuid>,
        #[serde(flatten)]
        range: EventRange,
    },
    /// `replay.list`
    Replays { replays: Vec<ReplaySummary> },
    /// `decision.list`
    Decisions { decisions: Vec<ListedDecision>, next: Option<Lsn> },
    /// `order.trace`
    Trace {
        #[serde(serialize_with = "order_object")]
        order: Box<OrderState>,
        events: Vec<TracedEvent>,
        complete: bool,
    },
    /// `store.pin`: everything up to `lsn` is durable, and the journal from there back to its oldest segment is kept.
    Pinned { pin: u64, lsn: Lsn, last_sequence: Sequence, storeepoch: u32 },
}

/// How many events a verb touches, and which. `None` where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EventRange {
    /// How many.
    pub events: u64,
    /// The first of them.
    pub first_sequence: Option<Sequence>,
    /// The last of them.
    pub last_sequence: Option<Sequence>,
}

impl EventRange {
    /// With one more event, in any order.
    pub fn add(&mut self, sequence: Sequence) {
        self.events = self.events.saturating_add(1);
        self.first_sequence = Some(self.first_sequence.map_or(sequence, |first| first.min(sequence)));
        self.last_sequence = Some(self.last_sequence.map_or(sequence, |last| last.max(sequence)));
    }
}

impl FromIterator<Sequence> for EventRange {
    fn from_iter<T: IntoIterator<Item = Sequence>>(sequences: T) -> Self {
        let mut range = Self::default();
        sequences.into_iter().for_each(|sequence| range.add(sequence));
        range
    }
}

/// A parked lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneSummary {
    /// The order.
    pub order_id: OrderId,
    /// Why it is parked.
    pub state: LaneState,
    /// How many events are parked.
    pub events: u64,
    /// The first of them.
    pub first_sequence: Option<Sequence>,
    /// Since when.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub since: Timestamp,
    /// How often the first event was handed out.
    pub attempts: u32,
    /// When it is handed out again by itself; null if it is not.
    #[serde(serialize_with = "rfc3339::serialize_option")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why, in words.
    pub reason: Box<str>,
}

/// A replay and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplaySummary {
    /// Names it.
    pub replay_id: Uuid,
    /// The sink that gets the events again.
    pub sink: Box<str>,
    /// Where it is.
    pub state: ReplayState,
    /// Events that the sink took.
    pub delivered: u64,
    /// Events that were given up.
    pub failed: u64,
    /// Events of its range that it has not come to; those that its filters leave out among them.
    pub remaining: u64,
    /// Milliseconds until its end at the present rate; null unless that is known.
    pub eta_ms: Option<u64>,
}

/// A decision with its plan, as `dump` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDecision(pub Lsn, pub Decision);

impl Serialize for ListedDecision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DecisionView::new(self.0, &self.1).serialize(serializer)
    }
}

/// An event of an order, and what became of it at each sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedEvent {
    /// Its number in the outbox.
    pub sequence: Sequence,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// The event's identity.
    #[serde(serialize_with = "event_id")]
    pub id: EventId,
    /// The order's version after it.
    pub orderversion: u32,
    /// When it happened.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub time: Timestamp,
    /// Why the order was cancelled; left out where nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// In the order of `sink.list`.
    pub sinks: Vec<TracedSink>,
}

/// What became of an event at a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedSink {
    /// The sink.
    pub name: Box<str>,
    /// Where the event is.
    pub state: TracedState,
    /// How often it was handed out; 0 where that is no longer known.
    pub attempts: u32,
    /// Why it is parked, was skipped or failed last.
    pub reason: Option<Box<str>>,
}

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TracedState {
    /// Not handed out yet, or to be handed out again.
    Pending,
    /// Handed out and not answered.
    InFlight,
    /// Delivered.
    Delivered,
    /// In a parked lane.
    Parked,
    /// Passed over for good.
    Skipped,
}

/// JSON that is rendered already.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Json(pub Box<RawValue>);

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

/// An order as every answer shows it.
#[derive(Serialize)]
struct OrderObject {
    order_id: OrderId,
    customer_id: CustomerId,
    total_amount: u64,
    status: &'static str,
    version: u32,
    #[serde(serialize_with = "rfc3339::serialize")]
    placed_at: Timestamp,
    #[serde(serialize_with = "rfc3339::serialize_option")]
    completed_at: Option<Timestamp>,
    #[serde(serialize_with = "rfc3339::serialize_option")]
    cancelled_at: Option<Timestamp>,
}

fn order_object<S: Serializer>(order: &OrderState, serializer: S) -> Result<S::Ok, S::Error> {
    let status: OrderStatus = order.status;
    OrderObject {
        order_id: order.order_id,
        customer_id: order.customer_id,
        total_amount: order.total_amount.get(),
        status: status.as_str(),
        version: order.version,
        placed_at: order.placed_at,
        completed_at: order.completed_at,
        cancelled_at: order.cancelled_at,
    }
    .serialize(serializer)
}

fn event_id<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&id.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_are_the_objects_of_the_contract() {
        let json = |result: OperatorResult| serde_json::to_value(result).unwrap();
        assert_eq!(json(OperatorResult::Done {}), json!({}));
        let range: EventRange = [Sequence(7), Sequence(3)].into_iter().collect();
        let touched = json!({"events": 2, "first_sequence": 3, "last_sequence": 7});
        assert_eq!(json(OperatorResult::Range(range)), touched);
        let nothing = json!({"lanes": 0, "events": 0, "first_sequence": null, "last_sequence": null});
        assert_eq!(json(OperatorResult::Requeued { lanes: 0, range: EventRange::default() }), nothing);
        let lane = LaneSummary {
            order_id: OrderId::new(Uuid::from_u128(1)),
            state: LaneState::Held,
            events: 1,
            first_sequence: Some(Sequence(9)),
            since: Timestamp::from_micros(0).unwrap(),
            attempts: 0,
            next_attempt_at: None,
            reason: "r".into(),
        };
        let lanes = json(OperatorResult::Lanes { lanes: vec![lane], next: None });
        let order_id = "00000000-0000-0000-0000-000000000001";
        assert_eq!(
            lanes,
            json!({"lanes": [{"order_id": order_id, "state": "held", "events": 1, "first_sequence": 9,
                "since": "1970-01-01T00:00:00.000000Z", "attempts": 0, "next_attempt_at": null, "reason": "r"}],
                "next": null})
        );
    }
}
