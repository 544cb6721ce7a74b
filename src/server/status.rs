//! What `daemon.status` answers.

use serde::Serialize;

use super::shared::Shared;
use crate::contracts::{Lsn, Sequence, SinkStatus, StoreCondition, StoreStatus};

/// The result object.
#[derive(Debug, Serialize)]
pub(super) struct DaemonStatus {
    version: &'static str,
    uptime_ms: u64,
    state: &'static str,
    journal: Journal,
    orders: Orders,
    outbox: Outbox,
    connections: usize,
    connections_max: usize,
    connections_refused_total: u64,
    commands_total: u64,
    overloaded_total: u64,
    sinks: Vec<SinkStatus>,
}

/// What the daemon as a whole does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DaemonState {
    Ready,
    StorageFull,
    StoreUnavailable,
    Draining,
}

impl DaemonState {
    pub(super) const ALL: [Self; 4] = [Self::Ready, Self::StorageFull, Self::StoreUnavailable, Self::Draining];

    pub(super) const fn of(draining: bool, store: StoreCondition) -> Self {
        match (draining, store) {
            (true, _) => Self::Draining,
            (false, StoreCondition::Full) => Self::StorageFull,
            (false, StoreCondition::Unavailable) => Self::StoreUnavailable,
            (false, StoreCondition::Ready) => Self::Ready,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::StorageFull => "storage_full",
            Self::StoreUnavailable => "store_unavailable",
            Self::Draining => "draining",
        }
    }
}

#[derive(Debug, Serialize)]
struct Journal {
    durable_lsn: Lsn,
    checkpoint_lsn: Lsn,
    bytes: u64,
    segments: usize,
    bytes_max: u64,
    pinned_by: Option<String>,
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
    pub(super) fn of(shared: &Shared) -> Self {
        let (context, counters) = (&shared.context, &shared.counters);
        let StoreStatus { condition, journal, orders_count, last_sequence } = context.store.store();
        let now = context.clock.now();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_ms: u64::try_from(context.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            state: DaemonState::of(context.draining, condition).as_str(),
            journal: Journal {
                durable_lsn: journal.durable_lsn,
                checkpoint_lsn: journal.checkpoint_lsn,
                bytes: journal.bytes,
                segments: journal.segments,
                bytes_max: context.store.journal_bytes_max(),
                pinned_by: context.store.pinned_by().map(|name| name.to_string()),
            },
            orders: Orders { count: orders_count },
            outbox: Outbox { last_sequence },
            connections: context.connections(),
            connections_max: shared.options.connections_max,
            connections_refused_total: counters.connections_refused,
            commands_total: counters.results.commands,
            overloaded_total: counters.results.overloaded,
            sinks: context.sinks.iter().map(|sink| as_of(sink.read_at(now, last_sequence), last_sequence)).collect(),
        }
    }
}

/// A sink as it stood when the store's last event was `last`: it may have acknowledged what came in since, and one
/// answer must not tell of two moments.
fn as_of(mut sink: SinkStatus, last: Sequence) -> SinkStatus {
    sink.acked_sequence = sink.acked_sequence.min(last);
    if sink.lag_events == 0 {
        sink.lag_ms = 0;
    }
    sink
}
