//! One event as the daemon hands it out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An event with what the daemon said about this hand-out. Only the attributes that a connector needs for every event
/// are parsed; [`crate::cloudevents`] reads all of them for binary mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The number of this hand-out on its connection.
    pub tag: u64,
    /// How often the event has been handed out, from 1.
    pub attempt: u64,
    /// The replay that hands it out again; none for live events.
    pub replay: Option<String>,
    /// The CloudEvent, byte for byte the line of a `file` sink without its line break.
    pub line: Vec<u8>,
    /// The event's id (a UUID), the same at every hand-out.
    pub id: String,
    /// `OrderPlaced`, `OrderCompleted`, `OrderCancelled` or `OrderSnapshot`.
    pub kind: String,
    /// The order (the attribute `partitionkey`): events of one order are handed out one at a time.
    pub order_id: String,
    /// The number of the event in the outbox.
    pub sequence: u64,
    /// The order's version after the change.
    pub order_version: u64,
    /// When it happened, RFC 3339.
    pub time: String,
}

/// A hand-out that is not an event of ours.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The event cannot be read.
    #[error("the event cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// `sequence` is not a number.
    #[error("the event's sequence is {0:?}, not a number in decimal digits")]
    Sequence(String),
}

/// The parameters of an `event` notification. Those that a newer daemon adds are passed over.
#[derive(Debug, Deserialize)]
pub(crate) struct HandOut<'l> {
    tag: u64,
    attempt: u64,
    /// A text or a number: to us it is a name.
    #[serde(borrow)]
    replay: Option<&'l RawValue>,
    #[serde(borrow)]
    event: &'l RawValue,
}

#[cfg(test)]
impl Event {
    /// The first hand-out of an event's line.
    pub(crate) fn of_line(line: &str) -> Self {
        let event = serde_json::from_str(line).unwrap();
        HandOut { tag: 1, attempt: 1, replay: None, event }.into_event().unwrap()
    }
}

#[derive(Deserialize)]
struct Attributes<'l> {
    id: String,
    r#type: String,
    partitionkey: String,
    #[serde(borrow)]
    sequence: Cow<'l, str>,
    orderversion: u64,
    time: String,
}

impl HandOut<'_> {
    /// Reads the few attributes that every connector needs.
    pub(crate) fn into_event(self) -> Result<Event, EventError> {
        let line = self.event.get();
        let attributes: Attributes<'_> = serde_json::from_str(line)?;
        let sequence =
            attributes.sequence.parse().map_err(|_| EventError::Sequence(attributes.sequence.into_owned()))?;
        Ok(Event {
            tag: self.tag,
            attempt: self.attempt,
            replay: self.replay.map(|id| id.get().trim_matches('"').to_owned()),
            line: line.as_bytes().to_vec(),
            id: attributes.id,
            kind: attributes.r#type,
            order_id: attributes.partitionkey,
            sequence,
            order_version: attributes.orderversion,
            time: attributes.time,
        })
    }
}
