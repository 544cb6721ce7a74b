//! What `daemon.status` answers.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::contracts::{Clock, JournalStatus, Sequence, SinkMonitor, SinkStatus, StoreStatus};

/// What the server knows about the daemon besides the store.
pub(super) struct StatusContext {
    pub(super) started: Instant,
    /// For the age of what sinks have not taken yet.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sinks: Vec<Arc<SinkMonitor>>,
    pub(super) connections: usize,
    pub(super) draining: bool,
}

impl fmt::Debug for StatusContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { started, clock: _, sinks, connections, draining } = self;
        f.debug_struct("StatusContext")
            .field("started", started)
            .field("sinks", sinks)
            .field("connections", connections)
            .field("draining", draining)
            .finish_non_exhaustive()
    }
}

impl StatusContext {
    pub(super) fn new(clock: Arc<dyn Clock>, sinks: Vec<Arc<SinkMonitor>>) -> Self {
        Self { started: Instant::now(), clock, sinks, connections: 0, draining: false }
    }
}

/// The result object.
#[derive(Debug, Serialize)]
pub(super) struct DaemonStatus {
    version: &'static str,
    uptime_ms: u64,
    state: DaemonState,
    journal: JournalStatus,
    orders: Orders,
    outbox: Outbox,
    connections: usize,
    sinks: Vec<SinkStatus>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum DaemonState {
    Ready,
    StorageFull,
    Draining,
}

#[derive(Debug, Serialize)]
struct Orders {
    count: u64,
}

#[derive(Debug, Serialize)]
struct Outbox {
    last_sequence: Sequence,
}

impl DaemonStatus {
    pub(super) fn of(store: &StoreStatus, context: &StatusContext) -> Self {
        let (now, last) = (context.clock.now(), store.last_sequence);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_ms: u64::try_from(context.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            state: match (context.draining, store.full) {
                (true, _) => DaemonState::Draining,
                (false, true) => DaemonState::StorageFull,
                (false, false) => DaemonState::Ready,
            },
            journal: store.journal,
            orders: Orders { count: store.orders_count },
            outbox: Outbox { last_sequence: store.last_sequence },
            connections: context.connections,
            sinks: context.sinks.iter().map(|sink| as_of(sink.read_at(now, last), last)).collect(),
        }
    }
}

/// A sink as it stood when the store's last event was `last`. The store was asked in its turn among the commands, the
/// sink only now: it may have acknowledged what came in between, and one answer must not tell of two moments.
fn as_of(mut sink: SinkStatus, last: Sequence) -> SinkStatus {
    sink.acked_sequence = sink.acked_sequence.min(last);
    sink.lag_events = sink.lag_events.min(last.since(sink.acked_sequence));
    if sink.lag_events == 0 {
        sink.lag_ms = 0;
    }
    sink
}
