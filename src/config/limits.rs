//! The sections that hold nothing but numbers: every limit, its default and what it may be.

use std::time::Duration;

use super::render::Rendering;
use super::section::{Number, Section};

/// Longest time that a time-out may be set to: a day.
const DAY_MS: u64 = 86_400_000;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;

/// Declares a section: its type, and for each key the type, the default and the range.
/// A `Duration` is a number of milliseconds in the file.
macro_rules! limits {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $type:ty = $default:expr, $range:expr;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($(#[$key_doc])* pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: <$type as Number>::from_u64($default).unwrap_or_default(),)+ }
            }
        }

        impl $name {
            /// Reads its keys; those that are not there are as in `default`.
            pub(super) fn read_keys(section: &mut Section<'_, '_>, default: &Self) -> Self {
                Self { $($key: section.number(stringify!($key), default.$key, $range),)+ }
            }

            pub(super) fn render(&self, out: &mut Rendering) {
                $(out.number(stringify!($key), self.$key);)+
            }

            /// The keys alone that differ from `base`.
            #[allow(dead_code, reason = "for sections that stand in more than one place")]
            pub(super) fn render_changed(&self, base: &Self, out: &mut Rendering) {
                $(if self.$key != base.$key {
                    out.number(stringify!($key), self.$key);
                })+
            }
        }
    };
}

limits! {
    /// `[server]`: what clients may take.
    ServerConfig {
        /// Connections at once; one more is closed at once.
        connections_max: usize = 256, 1..=65_536;
        /// How many of them, the last ones, are kept for operators; at least one is for everybody.
        operator_connections: usize = 4, 0..=65_536;
        /// Bytes of one request line; a longer one is refused and its connection closed.
        line_bytes_max: usize = 32 * KIB, KIB..=16 * MIB;
        /// Bytes of a command's metadata, as sent.
        metadata_bytes_max: usize = 16 * KIB, 2..=MIB;
        /// Levels of objects and arrays in a command's metadata.
        metadata_levels_max: usize = 32, 1..=128;
        /// Characters of what an attaching program says of itself.
        program_chars_max: usize = 100, 1..=1000;
        /// Connections of one user who may not send commands; one more is refused.
        outsider_connections_max: usize = 16, 1..=65_536;
        /// Commands of one connection that wait for their answers; beyond it, nothing more is read from it.
        in_flight_max: usize = 1024, 1..=1_048_576;
        /// Bytes of answers that one connection has not read yet; beyond it, nothing more is read from it.
        answer_bytes_max: usize = 16 * MIB, 4 * KIB..=GIB;
        /// The same over all connections together.
        answers_bytes_max: usize = 128 * MIB, 4 * KIB..=64 * GIB;
        /// How long a line may stay half sent before its connection is closed.
        line_ms_max: Duration = 10_000, 1..=DAY_MS;
        /// How long a connection may be silent before it is closed.
        idle_ms_max: Duration = 300_000, 1..=DAY_MS;
        /// How long a client may leave its answers unread before its connection is closed.
        write_ms_max: Duration = 10_000, 1..=DAY_MS;
    }
}

limits! {
    /// `[executor]`: how commands are gathered.
    ExecutorConfig {
        /// Commands of all connections that are being executed or wait for it. Beyond it a connection may have its even
        /// part there, and one more is answered `overloaded`.
        queue_commands_max: usize = 8192, 1..=1_048_576;
        /// The same in bytes of their lines.
        queue_bytes_max: usize = 64 * MIB, 64 * KIB..=64 * GIB;
        /// Commands that one fdatasync covers at most.
        batch_commands_max: usize = 4096, 1..=1_048_576;
        /// Bytes of plans that one fdatasync covers at most (a batch has at least one plan).
        batch_bytes_max: usize = MIB, 16 * KIB..=64 * MIB;
        /// Command ids that are remembered, so that a command sent again changes nothing.
        command_ids_max: usize = 1_000_000, 1..=100_000_000;
        /// Orders that there may be; each takes about 90 bytes of memory for good. One more is refused.
        orders_max: usize = 100_000_000, 1..=4_294_967_295;
    }
}

limits! {
    /// `[journal]`: the write-ahead journal's files.
    JournalConfig {
        /// Size of one journal file; it is allocated before it is used.
        segment_bytes: u64 = 64 * MIB, 64 * KIB..=4 * GIB;
        /// What the journal may take on the disk; beyond it the daemon is `storage_full`.
        bytes_max: u64 = 64 * GIB, 256 * KIB..=1024 * TIB;
        /// What is kept of the journal though nothing needs it any more, for `dump`.
        retain_bytes: u64 = GIB, 0..=1024 * TIB;
        /// Room at the end of a journal file that only operators' and sinks' decisions may use, so that a full journal can
        /// be made free again; at most a quarter of a file.
        decisions_bytes: u64 = MIB, 16 * KIB..=GIB;
        /// How often a full disk is tried again.
        full_probe_ms: Duration = 250, 10..=60_000;
    }
}

limits! {
    /// `[checkpoint]`: when the state is saved, so that a restart reads less of the journal. Whichever comes first.
    CheckpointConfig {
        /// Journal bytes since the last checkpoint.
        journal_bytes: u64 = 256 * MIB, 16 * KIB..=TIB;
        /// Plans since the last checkpoint.
        plans: u64 = 2_000_000, 1..=1_000_000_000;
        /// Time since the last checkpoint, if anything changed.
        age_ms: Duration = 3_600_000, 100..=30 * DAY_MS;
        /// Journal bytes since the last checkpoint from which on a stop writes one, if that one is not longer.
        stop_journal_bytes: u64 = 4 * MIB, 16 * KIB..=TIB;
        /// How long a stop may take for its checkpoint; 0 for none.
        stop_ms_max: Duration = 5_000, 0..=8_000;
    }
}

limits! {
    /// `[relay]`: how events go out.
    RelayConfig {
        /// Events that a sink is given at once.
        batch_events_max: usize = 2000, 1..=100_000;
        /// Bytes that a sink is given at once (a batch has at least one event).
        batch_bytes_max: usize = 2 * MIB, KIB..=64 * MIB;
        /// Acknowledged events that a crash may make the daemon deliver again.
        cursor_events_max: u64 = 1000, 1..=1_000_000;
        /// How long an acknowledgement may stay unrecorded.
        cursor_ms_max: Duration = 100, 1..=60_000;
    }
}

limits! {
    /// How a sink's events are handed out: in `[relay]` for all sinks, in a `[[sinks]]` entry for that one.
    DeliveryConfig {
        /// Events that a subscription hands out and that are not answered.
        in_flight_max: usize = 512, 1..=30_000;
        /// Their bytes (one event is always handed out).
        in_flight_bytes_max: usize = 8 * MIB, KIB..=GIB;
        /// Events after the last one up to which all are settled that may be settled out of order.
        window_events_max: usize = 16_384, 1..=30_000;
        /// How long an event may stay unanswered before its connection is closed.
        answer_ms_max: Duration = 30_000, 1..=DAY_MS;
        /// Failures of one event, while others get through, after which its lane is parked.
        attempts_max: u64 = 8, 1..=1_000_000;
        /// Parked events at which a sink halts.
        parked_events_max: u64 = 100_000, 1..=10_000_000;
        /// Bytes of parked events at which a sink halts.
        parked_bytes_max: u64 = 64 * MIB, KIB..=4 * GIB;
        /// Different orders rejected, with nothing delivered in between, at which a sink halts.
        rejected_in_a_row_max: usize = 100, 1..=1_000_000;
        /// Events handed out per second; 0 for no limit.
        rate_events_per_s_max: u64 = 0, 0..=1_000_000;
        /// Events that a program may answer with one `delivered`.
        delivered_tags_max: usize = 1000, 1..=30_000;
        /// Events in flight at first, after attaching and after an outage; their number doubles as they are delivered.
        slow_start_events: usize = 16, 1..=30_000;
        /// Detaches in a row without an outcome after which one event at a time is handed out.
        detaches_in_a_row_max: u64 = 3, 1..=1_000_000;
        /// The longest wait that a program may ask for.
        retry_after_ms_max: Duration = 3_600_000, 1..=DAY_MS;
        /// Replays of a sink that run at once; one more is refused.
        replays_max: usize = 100, 1..=10_000;
        /// Failures that `sink.show` lists, the last ones.
        failures_listed_max: usize = 100, 1..=10_000;
        /// Wait after the first failed delivery; it doubles with each further one.
        backoff_ms_min: Duration = 100, 1..=DAY_MS;
        /// The longest such wait.
        backoff_ms_max: Duration = 30_000, 1..=DAY_MS;
    }
}
