//! What the configuration says about a worker.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::contracts::{Clock, DecisionBatch, EventHistory, OrderRows, ReplayProgress, SinkType};

/// The limits of one sink's worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The sink's name.
    pub name: String,
    /// What the sink is.
    pub sink_type: SinkType,
    /// `relay.batch_events_max`
    pub batch_events_max: usize,
    /// `relay.batch_bytes_max`
    pub batch_bytes_max: usize,
    /// `relay.cursor_events_max`
    pub cursor_events_max: u64,
    /// `relay.cursor_ms_max`
    pub cursor_delay_max: Duration,
    /// `relay.backoff_ms_min`
    pub backoff_min: Duration,
    /// `relay.backoff_ms_max`
    pub backoff_max: Duration,
    /// `failures_listed_max`
    pub failures_listed_max: usize,
    /// `rate_events_per_s_max`; none for no limit.
    pub rate_events_per_s_max: Option<u32>,
    /// Decides the jitter; another one for every sink and start.
    pub backoff_seed: u64,
    /// How long a worker that is told to stop goes on to deliver what is durable already, as long as the sink takes it.
    pub drain_max: Duration,
}

/// What a worker works with.
#[derive(Clone)]
pub struct WorkerPorts {
    /// Reads the outbox.
    pub history: Arc<dyn EventHistory>,
    /// Shows the orders, for a snapshot.
    pub rows: Arc<dyn OrderRows>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Where decisions become plans.
    pub decide: Sender<DecisionBatch>,
    /// The daemon's own user, for decisions that nobody asked for.
    pub uid: u32,
    /// Where the progress of replays is kept.
    pub replays: Arc<dyn ReplayProgress>,
}
