//! What keys must hold between each other: each is possible alone, some are not together.

use std::path::Path;

use super::paths::resolved;
use super::section::{Number, Problems};
use super::{Config, DeliveryConfig, SinkKind, StoreType};

/// Segments that the journal's limit has to have room for: one in use, one ready, two behind a checkpoint.
const SEGMENTS_MIN: u64 = 4;
/// Batches that a segment has to have room for; with fewer, most of the work would be making files.
const BATCHES_PER_SEGMENT_MIN: u64 = 4;
/// Two checkpoints are kept, and the journal from the older one on.
const CHECKPOINTS_KEPT: u64 = 2;

/// Notes every contradiction. `locate` finds a key's position in the file, if it is given there.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>, locate: impl Fn(&str) -> Option<usize>) {
    let mut at_least = |key: &str, value: u64, least: u64, reason: &str| {
        if value < least {
            let message = format!("takes at least {least} here, {reason}, not {value}");
            problems.add(locate(key), key, message);
        }
    };
    let Config { server, executor, journal, checkpoint, .. } = config;
    at_least(
        "journal.segment_bytes",
        journal.segment_bytes,
        BATCHES_PER_SEGMENT_MIN.saturating_mul(executor.batch_bytes_max.to_u64()),
        "4 times executor.batch_bytes_max",
    );
    at_least(
        "journal.bytes_max",
        journal.bytes_max,
        SEGMENTS_MIN.saturating_mul(journal.segment_bytes),
        "4 times journal.segment_bytes",
    );
    at_least("journal.bytes_max", journal.bytes_max, journal.retain_bytes, "as much as journal.retain_bytes");
    at_least(
        "journal.bytes_max",
        journal.bytes_max,
        CHECKPOINTS_KEPT.saturating_mul(checkpoint.journal_bytes),
        "2 times checkpoint.journal_bytes",
    );
    at_least(
        "server.answer_bytes_max",
        server.answer_bytes_max.to_u64(),
        server.line_bytes_max.to_u64(),
        "as much as server.line_bytes_max, because an answer repeats the request's id",
    );
    at_least(
        "server.answers_bytes_max",
        server.answers_bytes_max.to_u64(),
        server.answer_bytes_max.to_u64(),
        "as much as server.answer_bytes_max",
    );
    check_delivery("relay", &config.delivery, &mut at_least);
    for (index, sink) in config.sinks.iter().enumerate() {
        // What holds for all is told once.
        if sink.delivery != config.delivery {
            check_delivery(&format!("sinks[{index}]"), &sink.delivery, &mut at_least);
        }
    }
    for (index, sink) in config.sinks.iter().enumerate() {
        let is_here = sink.kind != SinkKind::Subscription;
        if config.store.store_type == StoreType::Postgres && is_here && sink.daemon.is_none() {
            let key = format!("sinks[{index}].daemon");
            let takes = "is missing: a file or standard output is one daemon's; takes that daemon's name (daemon.name)";
            problems.add(locate(&key), key, takes.to_owned());
        }
    }
    check_paths(config, problems, locate);
}

fn check_delivery(section: &str, delivery: &DeliveryConfig, at_least: &mut impl FnMut(&str, u64, u64, &str)) {
    at_least(
        &format!("{section}.backoff_ms_max"),
        delivery.backoff_ms_max.to_u64(),
        delivery.backoff_ms_min.to_u64(),
        &format!("as much as {section}.backoff_ms_min"),
    );
    at_least(
        &format!("{section}.window_events_max"),
        delivery.window_events_max.to_u64(),
        delivery.in_flight_max.to_u64(),
        &format!("as much as {section}.in_flight_max, because what is in flight is in the window"),
    );
}

/// Nothing but the store may write into the store, and no two things may be one file.
fn check_paths(config: &Config, problems: &mut Problems<'_>, locate: impl Fn(&str) -> Option<usize>) {
    let data_dir = resolved(&config.daemon.data_dir);
    let own = |path: &Path| {
        let path = resolved(path);
        path == data_dir || path.starts_with(data_dir.join("store")) || path == data_dir.join("LOCK")
    };
    if own(&config.daemon.socket) {
        let message = format!("takes a path outside the store; {} is the store's own", config.daemon.socket.display());
        problems.add(locate("daemon.socket"), "daemon.socket", message);
    }
    for (index, sink) in config.sinks.iter().enumerate() {
        let SinkKind::File { path } = &sink.kind else { continue };
        let key = format!("sinks[{index}].path");
        if own(path) {
            let message = format!("takes a path outside the store; {} is the store's own", path.display());
            problems.add(locate(&key), &key, message);
        }
        if resolved(path) == resolved(&config.daemon.socket) {
            problems.add(locate(&key), &key, "takes a path that is not the one of daemon.socket");
        }
        if resolved(path) == resolved(&config.origin.file()) {
            problems.add(locate(&key), &key, "takes a path that is not this configuration's own");
        }
    }
}
