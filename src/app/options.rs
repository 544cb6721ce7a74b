//! What the parts take from the configuration.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::core::CoreOptions;
use super::sink_options::SinkOptions;
use crate::config::{Config, RelayConfig, SinkConfig, SinkKind};
use crate::contracts::SinkType;
use crate::executor::ExecutorOptions;
use crate::journal::JournalOptions;
use crate::relay::WorkerSettings;
use crate::relay::scheduler::Limits;
use crate::repo::{MaintenanceOptions, StoreOptions};
use crate::server::ServerOptions;

/// How long a worker that is told to stop may go on delivering what is durable.
const DRAIN_MAX: Duration = Duration::from_millis(500);

impl CoreOptions {
    /// As `config` says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let executor = &config.executor;
        Self {
            store: store_options(config),
            executor: ExecutorOptions {
                batch_commands_max: executor.batch_commands_max,
                batch_bytes_max: executor.batch_bytes_max,
                orders_max: executor.orders_max as u64,
                conflict_retries_max: u32::try_from(config.store.conflict_retries_max).unwrap_or(u32::MAX),
            },
            maintenance: MaintenanceOptions {
                journal_bytes: config.checkpoint.journal_bytes,
                plans: config.checkpoint.plans,
                age: config.checkpoint.age_ms,
                retain_bytes: config.journal.retain_bytes,
                journal_bytes_max: config.journal.bytes_max,
                stop_journal_bytes: config.checkpoint.stop_journal_bytes,
            },
            line_bytes_max: config.server.line_bytes_max,
            sinks: config.sinks.iter().map(|sink| sink_options(sink, &config.relay)).collect(),
        }
    }
}

/// How long, and how many, delivered events of parked lanes may wait for the decision that records them.
const DELIVERED_DELAY_MAX: Duration = Duration::from_millis(50);
const DELIVERED_EVENTS_MAX: usize = 500;

/// A command's metadata, its trace context, a reason of 500 characters of four bytes each, and the order's own fields.
const PLAN_BYTES_MAX: u64 = 24 << 10;

fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        journal: JournalOptions {
            segment_bytes: config.journal.segment_bytes,
            bytes_max: config.journal.bytes_max,
            batch_bytes_max: config.executor.batch_bytes_max,
            plan_bytes_max: PLAN_BYTES_MAX,
            decisions_bytes: config.journal.decisions_bytes.min(config.journal.segment_bytes / 4),
            full_probe: config.journal.full_probe_ms,
            epoch_seed: random(),
        },
        command_ids_max: config.executor.command_ids_max,
        event_source: Arc::from(config.daemon.event_source.as_str()),
        redone_plans: Arc::default(),
    }
}

fn sink_options(sink: &SinkConfig, relay: &RelayConfig) -> SinkOptions {
    let worker = WorkerSettings {
        name: sink.name.clone(),
        sink_type: match sink.kind {
            SinkKind::File { .. } => SinkType::File,
            SinkKind::Stdout => SinkType::Stdout,
            SinkKind::Subscription => SinkType::Subscription,
        },
        batch_events_max: relay.batch_events_max,
        batch_bytes_max: relay.batch_bytes_max,
        cursor_events_max: relay.cursor_events_max,
        cursor_delay_max: relay.cursor_ms_max,
        failures_listed_max: sink.delivery.failures_listed_max,
        backoff_min: sink.delivery.backoff_ms_min,
        backoff_max: sink.delivery.backoff_ms_max,
        backoff_seed: random(),
        rate_events_per_s_max: rate(sink),
        drain_max: DRAIN_MAX,
    };
    SinkOptions {
        worker,
        start: sink.start,
        limits: limits(sink),
        delivered_tags_max: sink.delivery.delivered_tags_max,
        replays_max: sink.delivery.replays_max,
        consumer_uids: sink.consumer_uids.clone(),
        daemon: sink.daemon.clone(),
    }
}

fn limits(sink: &SinkConfig) -> Limits {
    let delivery = &sink.delivery;
    Limits {
        in_flight_max: delivery.in_flight_max,
        in_flight_bytes_max: delivery.in_flight_bytes_max,
        window_events_max: delivery.window_events_max,
        answer_max: delivery.answer_ms_max,
        attempts_max: u32::try_from(delivery.attempts_max).unwrap_or(u32::MAX),
        parked_events_max: delivery.parked_events_max,
        parked_bytes_max: delivery.parked_bytes_max,
        rejected_in_a_row_max: delivery.rejected_in_a_row_max,
        rate_events_per_s_max: rate(sink),
        slow_start_events: delivery.slow_start_events,
        detaches_in_a_row_max: u32::try_from(delivery.detaches_in_a_row_max).unwrap_or(u32::MAX),
        retry_after_max: delivery.retry_after_ms_max,
        backoff_min: delivery.backoff_ms_min,
        backoff_max: delivery.backoff_ms_max,
        delivered_delay_max: DELIVERED_DELAY_MAX,
        delivered_events_max: DELIVERED_EVENTS_MAX,
        seed: random(),
    }
}

/// 0 stands for no limit.
fn rate(sink: &SinkConfig) -> Option<u32> {
    u32::try_from(sink.delivery.rate_events_per_s_max).ok().filter(|rate| *rate > 0)
}

pub(super) fn server_options(config: &Config) -> ServerOptions {
    let (daemon, server) = (&config.daemon, &config.server);
    ServerOptions {
        socket: daemon.socket.clone(),
        socket_mode: daemon.socket_mode,
        socket_group: daemon.socket_group.clone(),
        allowed_uids: daemon.allowed_uids.clone(),
        operator_uids: daemon.operator_uids.clone(),
        observer_uids: daemon.observer_uids.clone(),
        connections_max: server.connections_max,
        operator_connections: server.operator_connections,
        line_bytes_max: server.line_bytes_max,
        metadata_bytes_max: server.metadata_bytes_max,
        metadata_levels_max: server.metadata_levels_max,
        program_chars_max: server.program_chars_max,
        outsider_connections_max: server.outsider_connections_max,
        in_flight_max: server.in_flight_max,
        queue_commands_max: config.executor.queue_commands_max,
        queue_bytes_max: config.executor.queue_bytes_max,
        answer_bytes_max: server.answer_bytes_max,
        answers_bytes_max: server.answers_bytes_max,
        line_ms_max: server.line_ms_max,
        idle_ms_max: server.idle_ms_max,
        write_ms_max: server.write_ms_max,
        shutdown_ms_max: daemon.shutdown_ms_max,
    }
}

/// 62 random bits of a version 4 UUID, from the system.
fn random() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}
