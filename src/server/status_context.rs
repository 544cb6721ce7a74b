//! What the server knows about the daemon's parts, for whoever asks how they are.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::contracts::{Clock, SinkMonitor, StatusModel};
use crate::domain::Timestamp;
use crate::telemetry::{CheckpointMetrics, JournalMetrics, LogMetrics};

/// What the server shows of what other parts measure, beside what the store and the sinks show of themselves.
#[derive(Debug, Clone, Default)]
pub struct ServerTelemetry {
    /// The journal writer's.
    pub journal: Arc<JournalMetrics>,
    /// Maintenance's.
    pub checkpoint: Arc<CheckpointMetrics>,
    /// The log's.
    pub log: Arc<LogMetrics>,
}

/// What the server knows about the daemon's parts.
pub(super) struct StatusContext {
    pub(super) started: Instant,
    /// The same by the wall clock.
    pub(super) started_at: Timestamp,
    /// For the age of what sinks have not taken yet.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<StatusModel>,
    pub(super) sinks: Vec<Arc<SinkMonitor>>,
    /// Connections that the server has.
    pub(super) connections: usize,
    /// Connections that sinks have.
    pub(super) attached: Arc<AtomicUsize>,
    pub(super) draining: bool,
}

impl fmt::Debug for StatusContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { started, started_at, clock: _, store, sinks, connections, attached, draining } = self;
        f.debug_struct("StatusContext")
            .field("started", started)
            .field("started_at", started_at)
            .field("store", store)
            .field("sinks", sinks)
            .field("connections", connections)
            .field("attached", attached)
            .field("draining", draining)
            .finish_non_exhaustive()
    }
}

impl StatusContext {
    pub(super) fn new(clock: Arc<dyn Clock>, store: Arc<StatusModel>, sinks: Vec<Arc<SinkMonitor>>) -> Self {
        let (started, started_at, attached) = (Instant::now(), clock.now(), Arc::default());
        Self { started, started_at, clock, store, sinks, connections: 0, attached, draining: false }
    }

    /// All connections, those that sinks have included.
    pub(super) fn connections(&self) -> usize {
        self.connections + self.attached.load(Ordering::Relaxed)
    }
}
