//! A delivery decision as people and programs see it: a line of `dump`, an item of `decision.list`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Decision, DecisionKind, Lsn, Sequence};
use crate::domain::OrderId;

/// `{"lsn":8,"delivery":{"kind","sink","order_id"?,"sequence"? or "from","to","at","uid","reason"}}`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DecisionView<'a> {
    lsn: Lsn,
    delivery: Delivery<'a>,
}

#[derive(Debug, Clone, Copy)]
struct Delivery<'a>(&'a Decision);

impl<'a> DecisionView<'a> {
    /// The decision of the plan `lsn`.
    #[must_use]
    pub const fn new(lsn: Lsn, decision: &'a Decision) -> Self {
        Self { lsn, delivery: Delivery(decision) }
    }
}

/// What is decided on: one order, one event, a range.
#[derive(Default)]
pub struct DecisionSubject {
    /// The order, if it is one.
    pub order_id: Option<OrderId>,
    /// The first and the last event.
    pub events: Option<(Sequence, Sequence)>,
}

impl DecisionSubject {
    /// What a decision is about.
    #[must_use]
    pub fn of(kind: &DecisionKind) -> Self {
        match kind {
            DecisionKind::Parked { order_id, events, .. } => {
                let first_and_last = events.first().zip(events.last());
                Self {
                    order_id: Some(*order_id),
                    events: first_and_last.map(|(first, last)| (first.sequence, last.sequence)),
                }
            }
            DecisionKind::Requeued { order_id } => Self { order_id: Some(*order_id), events: None },
            DecisionKind::Delivered { events } => {
                let order_id = events.first().map(|(order_id, _)| *order_id);
                let order_id = order_id.filter(|order_id| events.iter().all(|(other, _)| other == order_id));
                let sequences = || events.iter().map(|(_, sequence)| *sequence);
                Self { order_id, events: sequences().min().zip(sequences().max()) }
            }
            DecisionKind::LaneSkipped { order_id, sequence } => {
                Self { order_id: Some(*order_id), events: Some((*sequence, *sequence)) }
            }
            DecisionKind::RangeSkipped { from, to } => Self { order_id: None, events: Some((*from, *to)) },
            DecisionKind::ReplayStarted(spec) => Self { order_id: spec.order_id, events: Some((spec.from, spec.to)) },
            DecisionKind::Registered(_)
            | DecisionKind::Forgotten
            | DecisionKind::Paused
            | DecisionKind::Resumed
            | DecisionKind::Halted
            | DecisionKind::ReplayEnded { .. }
            | DecisionKind::SnapshotEnded
            | DecisionKind::Restored { .. } => Self::default(),
        }
    }
}

impl DecisionKind {
    /// Its name in `dump`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Registered(_) => "registered",
            Self::Forgotten => "forgotten",
            Self::Parked { .. } => "parked",
            Self::Requeued { .. } => "requeued",
            // A snapshot that was delivered, too, has got through.
            Self::Delivered { .. } | Self::SnapshotEnded => "delivered",
            Self::LaneSkipped { .. } | Self::RangeSkipped { .. } => "skipped",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Halted => "halted",
            Self::ReplayStarted(_) => "replay_started",
            Self::ReplayEnded { .. } => "replay_ended",
            Self::Restored { .. } => "restored",
        }
    }
}

/// One of the events of a decision about several orders.
#[derive(Serialize)]
struct OneEvent {
    order_id: String,
    sequence: Sequence,
}

impl Serialize for Delivery<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(decision) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", decision.kind.as_str())?;
        map.serialize_entry("sink", &*decision.sink)?;
        let subject = DecisionSubject::of(&decision.kind);
        if let Some(order_id) = subject.order_id {
            map.serialize_entry("order_id", &order_id.to_string())?;
        }
        match subject.events {
            Some((first, last)) if first == last => map.serialize_entry("sequence", &first)?,
            Some((first, last)) => {
                map.serialize_entry("from", &first)?;
                map.serialize_entry("to", &last)?;
            }
            None => {}
        }
        details(&decision.kind, &mut map)?;
        map.serialize_entry("at", &decision.at.to_string())?;
        map.serialize_entry("uid", &decision.uid)?;
        map.serialize_entry("reason", &*decision.reason)?;
        map.end()
    }
}

/// What only some kinds have to say.
fn details<M: SerializeMap>(kind: &DecisionKind, map: &mut M) -> Result<(), M::Error> {
    match kind {
        DecisionKind::Registered(start) => {
            map.serialize_entry("type", &start.sink_type)?;
            map.serialize_entry("after", &start.after)?;
            map.serialize_entry("snapshot", &start.snapshot.is_some())?;
            match start.snapshot {
                Some(snapshot) => {
                    map.serialize_entry("orders", &snapshot.orders)?;
                    map.serialize_entry("source", &*start.source)
                }
                None => Ok(()),
            }
        }
        DecisionKind::Parked { state, attempts, .. } => {
            map.serialize_entry("state", state)?;
            map.serialize_entry("attempts", attempts)
        }
        DecisionKind::Delivered { events } if events.len() != 1 => {
            let one = |(order_id, sequence): &(OrderId, Sequence)| OneEvent {
                order_id: order_id.to_string(),
                sequence: *sequence,
            };
            map.serialize_entry("events", &events.iter().map(one).collect::<Vec<_>>())
        }
        DecisionKind::ReplayStarted(spec) => {
            map.serialize_entry("replay_id", &spec.replay_id.to_string())?;
            map.serialize_entry("types", &spec.types)?;
            map.serialize_entry("rate_events_per_s_max", &spec.rate_events_per_s_max)
        }
        DecisionKind::ReplayEnded { replay_id, cancelled, delivered, failed } => {
            map.serialize_entry("replay_id", &replay_id.to_string())?;
            map.serialize_entry("cancelled", cancelled)?;
            map.serialize_entry("delivered", delivered)?;
            map.serialize_entry("failed", failed)
        }
        DecisionKind::Restored { epoch } => map.serialize_entry("storeepoch", epoch),
        DecisionKind::Forgotten
        | DecisionKind::Requeued { .. }
        | DecisionKind::Delivered { .. }
        | DecisionKind::LaneSkipped { .. }
        | DecisionKind::RangeSkipped { .. }
        | DecisionKind::Paused
        | DecisionKind::Resumed
        | DecisionKind::Halted
        | DecisionKind::SnapshotEnded => Ok(()),
    }
}
