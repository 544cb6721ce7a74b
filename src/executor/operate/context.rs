//! What a request is decided on, and the lookups that several of them need.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contracts::{
    ConnectionId, Decision, DecisionKind, FeedError, Json, OperatorRefusal, Pins, PlanStore, PublishedEvent, Refusal,
    Sequence, SinkHandle, SinkRecord, SinkType,
};
use crate::domain::{OrderId, Timestamp};

/// How an event becomes the JSON that sinks see.
pub type EventRenderer = fn(&PublishedEvent, &mut Vec<u8>) -> Result<(), serde_json::Error>;

/// What answering operators takes besides the store.
pub struct Operations {
    /// The configured sinks, in the order of the configuration.
    pub sinks: Vec<SinkHandle>,
    /// Replays that may run at once, by sink.
    pub replays_max: BTreeMap<Arc<str>, usize>,
    /// How far those sinks had got that have a cursor and are no longer configured.
    pub leftovers: BTreeMap<Arc<str>, Sequence>,
    /// Renders events.
    pub render: EventRenderer,
    /// What backups keep.
    pub pins: Arc<Pins>,
    /// Called when it is durable that a sink is forgotten: its cursor goes, and pins the journal no longer.
    pub on_forgotten: Box<dyn Fn(&str) + Send>,
}

/// The store as it is durable, the workers as they are seen, and who asks when.
pub(in crate::executor) struct Context<'a> {
    pub store: &'a dyn PlanStore,
    pub operations: &'a Operations,
    pub connection: ConnectionId,
    pub uid: u32,
    pub now: Timestamp,
}

/// A sink that the store has a record of.
#[derive(Clone, Copy)]
pub(super) struct KnownSink<'a> {
    pub record: &'a SinkRecord,
    /// How to reach its worker; `None` if it is no longer configured.
    pub handle: Option<&'a SinkHandle>,
}

/// A sink that the store has a record of and that has a worker.
#[derive(Clone, Copy)]
pub(super) struct RunningSink<'a> {
    pub record: &'a SinkRecord,
    pub handle: &'a SinkHandle,
}

impl<'a> Context<'a> {
    /// The sink of this name.
    pub(super) fn sink(&self, name: &str) -> Result<KnownSink<'a>, OperatorRefusal> {
        let record = self.store.sink(name).ok_or_else(|| OperatorRefusal::SinkNotFound(name.to_owned()))?;
        Ok(KnownSink { record, handle: self.handle(name) })
    }

    /// The sink of this name, for what only a worker can carry out.
    pub(super) fn running_sink(&self, name: &str) -> Result<RunningSink<'a>, OperatorRefusal> {
        let KnownSink { record, handle } = self.sink(name)?;
        let not_configured = || {
            let problem =
                format!("sink {name} is not configured; configure it and restart, or let it go (sink.forget)");
            OperatorRefusal::Invalid(problem)
        };
        Ok(RunningSink { record, handle: handle.ok_or_else(not_configured)? })
    }

    pub(super) fn handle(&self, name: &str) -> Option<&'a SinkHandle> {
        self.operations.sinks.iter().find(|handle| &*handle.name == name)
    }

    /// How far a recorded sink has got.
    pub(super) fn acked_sequence(&self, sink: KnownSink<'_>) -> Sequence {
        match sink.handle {
            Some(handle) => handle.view.acked_sequence(),
            None => self.operations.leftovers.get(&sink.record.name).copied().unwrap_or(sink.record.start.after),
        }
    }

    pub(super) fn decision(&self, sink: &Arc<str>, reason: Option<&str>, kind: DecisionKind) -> Decision {
        let (sink, reason) = (Arc::clone(sink), Arc::from(reason.unwrap_or_default()));
        Decision { sink, at: self.now, uid: self.uid, reason, kind }
    }

    /// An event as a sink sees it.
    pub(super) fn rendered(&self, event: &PublishedEvent) -> Result<Json, Refusal> {
        let unreadable = |error: serde_json::Error| OperatorRefusal::Unreadable(error.to_string());
        let mut text = Vec::new();
        (self.operations.render)(event, &mut text).map_err(unreadable)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Json(serde_json::value::RawValue::from_string(text).map_err(unreadable)?))
    }

    /// The events of an order that the journal holds, oldest first; none if there is no such order.
    pub(super) fn order_events(&self, order_id: OrderId) -> Result<Vec<PublishedEvent>, Refusal> {
        match self.store.order_lsn(order_id)? {
            Some(last_lsn) => Ok(self.store.history().order_events(order_id, last_lsn).map_err(unreadable)?.events),
            None => Ok(Vec::new()),
        }
    }
}

impl KnownSink<'_> {
    /// Only a subscription has lanes.
    pub(super) fn has_lanes(self) -> bool {
        self.record.start.sink_type == SinkType::Subscription
    }
}

/// Why the journal could not answer.
pub(super) fn unreadable(error: FeedError) -> Refusal {
    match error {
        FeedError::NotHeld { wanted, oldest } => {
            OperatorRefusal::OutOfRange { problem: format!("event {wanted} has left the journal"), oldest }.into()
        }
        FeedError::Damaged(_) | FeedError::OtherHistory(_) | FeedError::Io(_) => {
            OperatorRefusal::Unreadable(error.to_string()).into()
        }
    }
}
