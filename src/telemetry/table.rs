//! The table of metrics: name, kind and meaning. The unit is the last part of the name, before `_total`.

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and starts from 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often values of each size came.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSpec {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal, $help:literal;)+) => {
        /// The rows, each under a name of its own.
        pub mod metric {
            use super::{Kind, MetricSpec};
            $(
                #[doc = $help]
                pub const $constant: MetricSpec = MetricSpec { name: $name, kind: Kind::$kind, help: $help };
            )+
        }

        /// All metrics, in the order in which they are shown.
        pub const METRICS: &[MetricSpec] = &[$(metric::$constant),+];
    };
}

metrics! {
    BUILD_INFO: Gauge "orderd_build_info", "1, labelled with the version of the daemon.";
    START: Gauge "orderd_start_timestamp_seconds", "When the daemon started, in seconds since 1970.";
    STATE: Gauge "orderd_state", "1 for the state that the daemon is in, 0 for the others.";
    COMMANDS: Counter "orderd_commands_total", "Requests by method and result: ok, or the kind of the error.";
    OVERLOADED: Counter "orderd_overloaded_total", "Requests that were answered overloaded.";
    DROPPED_NOTIFICATIONS: Counter "orderd_dropped_notifications_total",
        "Notifications that were not executed, of which nobody could be told.";
    UNDELIVERABLE: Counter "orderd_undeliverable_answers_total", "Answers whose client had gone.";
    CONNECTIONS: Gauge "orderd_connections", "Open connections, those that are attached to sinks included.";
    ATTACHED: Gauge "orderd_attached_connections", "Connections that are attached to sinks.";
    CONNECTIONS_LIMIT: Gauge "orderd_limit_connections", "server.connections_max.";
    ACCEPTED: Counter "orderd_accepted_connections_total", "Connections that were taken.";
    REFUSED: Counter "orderd_refused_connections_total",
        "Connections that were refused: there were too many, or their user has no rights.";
    TIMED_OUT: Counter "orderd_timed_out_connections_total", "Connections that were closed because a time-out passed.";
    QUEUE: Gauge "orderd_queue_commands", "Requests that wait for the executor.";
    QUEUE_LIMIT: Gauge "orderd_queue_limit_commands", "executor.queue_commands_max.";
    COMMIT_DURATION: Histogram "orderd_commit_duration_seconds",
        "From the first decision of a batch of requests until it is durable.";
    BATCH_COMMANDS: Histogram "orderd_commit_batch_commands", "Requests of a batch.";
    SYNC_DURATION: Histogram "orderd_journal_sync_duration_seconds", "How long fdatasync of the journal took.";
    APPENDED_BYTES: Counter "orderd_journal_appended_bytes_total", "Bytes appended to the journal.";
    JOURNAL_BYTES: Gauge "orderd_journal_bytes", "What the journal's files take on the disk.";
    JOURNAL_LIMIT: Gauge "orderd_journal_limit_bytes", "journal.bytes_max.";
    SEGMENTS: Gauge "orderd_journal_segments", "Files of the journal.";
    PINNED: Gauge "orderd_journal_pinned", "1, labelled with what keeps the journal's oldest segment.";
    DURABLE_LSN: Gauge "orderd_journal_durable_lsn", "The last plan that is durable.";
    STORAGE_FULL: Gauge "orderd_storage_full", "1 while there is no room for changes.";
    ORDERS: Gauge "orderd_orders", "Orders in the store.";
    EVENTS: Counter "orderd_events_total", "Events of the store: the last sequence.";
    CHECKPOINT_LSN: Gauge "orderd_checkpoint_lsn", "The plan up to which the newest checkpoint holds everything.";
    CHECKPOINT_AGE: Gauge "orderd_checkpoint_age_seconds",
        "Seconds since the last checkpoint was complete, or since the start if none was.";
    CHECKPOINT_DURATION: Histogram "orderd_checkpoint_duration_seconds", "How long writing a checkpoint took.";
    CHECKPOINT_BYTES: Gauge "orderd_checkpoint_bytes", "What the last checkpoint takes on the disk.";
    CHECKPOINT_FAILURES: Counter "orderd_checkpoint_failures_total", "Checkpoints that could not be written.";
    CHECKPOINT_FAILING: Gauge "orderd_checkpoint_failing", "1 if the last attempt to write a checkpoint failed.";
    SINK_STATE: Gauge "orderd_sink_state", "1 for the state that the sink is in, 0 for the others.";
    SINK_ACKED: Gauge "orderd_sink_acked_sequence", "Every event up to this one is delivered, parked or skipped.";
    SINK_LAG: Gauge "orderd_sink_lag_events", "Events that the sink has not settled, parked ones apart.";
    SINK_LAG_SECONDS: Gauge "orderd_sink_lag_seconds", "The age of the oldest of them.";
    SINK_DELIVERED: Counter "orderd_sink_delivered_events_total", "Events delivered since the start.";
    SINK_FAILURES: Counter "orderd_sink_failures_total",
        "What did not get through, by outcome: failed, rejected, unavailable, detached.";
    SINK_IN_FLIGHT: Gauge "orderd_sink_in_flight_events", "Events handed out and not answered.";
    SINK_PARKED_LANES: Gauge "orderd_sink_parked_lanes", "Orders that have a parked lane.";
    SINK_LANES: Gauge "orderd_sink_lanes", "Parked lanes by state: retrying, rejected, held, requeued.";
    SINK_PARKED: Gauge "orderd_sink_parked_events", "Events in parked lanes.";
    SINK_ATTACHED: Gauge "orderd_sink_attached", "1 while a program is attached.";
    SINK_LAST_ACK: Gauge "orderd_sink_last_ack_timestamp_seconds",
        "When the sink last acknowledged an event, in seconds since 1970; 0 for never since the start.";
    SINK_DELIVERY_DURATION: Histogram "orderd_sink_delivery_duration_seconds",
        "From handing out to the answer; of a file, how long a write took.";
    SINK_ACK_DELAY: Histogram "orderd_sink_commit_to_ack_seconds",
        "From an event's time, a moment before it is durable, until it is acknowledged; of a file, the oldest one's of \
         those that are synced together.";
    CURSOR_SAVE_DURATION: Histogram "orderd_cursor_save_duration_seconds", "How long saving a sink's cursor took.";
    DROPPED_LOG_LINES: Counter "orderd_dropped_log_lines_total",
        "Log lines that were dropped because standard error took none.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for (index, spec) in METRICS.iter().enumerate() {
            let name = spec.name;
            assert!(name.starts_with("orderd_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), spec.kind == Kind::Counter, "{name}");
            let histogram_parts = ["_bucket", "_count", "_sum"];
            assert!(!histogram_parts.iter().any(|part| name.ends_with(part)), "{name}");
            assert!(!name.contains("_ms"), "base units: {name}");
            assert!(spec.help.ends_with('.') && !spec.help.contains('\n'), "{name}");
            assert!(METRICS.iter().skip(index + 1).all(|other| other.name != name), "{name} is there twice");
        }
    }
}
