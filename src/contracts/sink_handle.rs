//! How a sink's worker is reached.

use std::sync::Arc;

use super::{DecisionInbox, SinkMonitor, SinkType, SinkView};

/// A configured sink with a worker of this process, as whoever answers operators reaches it.
#[derive(Clone)]
pub struct SinkHandle {
    /// The sink's name.
    pub name: Arc<str>,
    /// What it is.
    pub sink_type: SinkType,
    /// Where its worker hears of durable decisions.
    pub inbox: Arc<DecisionInbox>,
    /// What only its worker knows.
    pub view: Arc<dyn SinkView>,
    /// What `daemon.status` shows of it.
    pub monitor: Arc<SinkMonitor>,
}
