//! One worker for each configured sink.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::AppError;
use super::open::uuid_of;
use crate::config::{Config, RelayConfig, SinkConfig, SinkKind, SinkStart};
use crate::contracts::{Clock, Lsn, Sequence, Sink};
use crate::journal::JournalHandle;
use crate::relay::sinks::{FileSink, StdoutSink};
use crate::relay::{Control, CursorFile, SavedPosition, Worker, WorkerSettings};
use crate::repo::{DurableSequence, JournalOutbox};

/// A worker that is not running yet, and how to reach it.
pub(super) struct Relay {
    pub(super) name: String,
    pub(super) worker: Worker,
    pub(super) control: Arc<Control>,
}

/// What the relays read from.
pub(super) struct Outbox {
    pub(super) files: JournalHandle,
    pub(super) durable_sequence: Arc<DurableSequence>,
    pub(super) last_sequence: Sequence,
}

/// How long a worker that is told to stop may go on delivering what is durable.
const DRAIN_MAX: Duration = Duration::from_millis(500);

/// Makes the workers, and gives what retention must keep for all cursors, also those of sinks that are not configured.
pub(super) fn build(
    config: &Config,
    outbox: &Outbox,
    clock: &Arc<dyn Clock>,
    mut cursors: Vec<(String, CursorFile)>,
) -> Result<(Vec<Relay>, Vec<Arc<SavedPosition>>), AppError> {
    let mut relays = Vec::new();
    for sink in &config.sinks {
        let at = cursors.iter().position(|(name, _)| *name == sink.name);
        let cursor = match at.map(|at| cursors.swap_remove(at)) {
            Some((_, cursor)) => cursor,
            None => new_cursor(sink, outbox)?,
        };
        let reader =
            JournalOutbox::open(outbox.files.clone(), Arc::clone(&outbox.durable_sequence), cursor.position())?;
        let target: Box<dyn Sink> = match &sink.kind {
            SinkKind::File { path } => Box::new(FileSink::open(path.clone(), config.relay.batch_bytes_max)),
            SinkKind::Stdout => Box::new(
                StdoutSink::stdout().map_err(|error| AppError::io(format!("standard output: {error}"), &error))?,
            ),
        };
        let settings = settings(sink, &config.relay);
        let worker = Worker::new(&settings, Box::new(reader), target, cursor, Arc::clone(clock))?;
        relays.push(Relay { name: sink.name.clone(), worker, control: Arc::default() });
    }
    let mut saved: Vec<_> = relays.iter().map(|relay| relay.worker.saved()).collect();
    for (sink, cursor) in cursors {
        let lsn = cursor.position().lsn;
        tracing::warn!(sink, %lsn, "a sink that is not configured keeps its cursor, and the journal from there on; \
            remove the cursor's file to let it go");
        saved.push(cursor.saved());
    }
    Ok((relays, saved))
}

fn new_cursor(sink: &SinkConfig, outbox: &Outbox) -> Result<CursorFile, AppError> {
    let position = match sink.start {
        SinkStart::Beginning => JournalOutbox::beginning(outbox.files.clone(), outbox.last_sequence)?,
        SinkStart::Now => JournalOutbox::end(&outbox.files, outbox.last_sequence),
    };
    tracing::info!(sink = sink.name, after = %position.sequence, "a new sink starts");
    let store_id = uuid_of(outbox.files.store_id);
    Ok(CursorFile::create(outbox.files.storage.as_ref(), &sink.name, store_id, position)?)
}

fn settings(sink: &SinkConfig, relay: &RelayConfig) -> WorkerSettings {
    WorkerSettings {
        name: sink.name.clone(),
        kind: sink.kind.as_str().to_owned(),
        batch_events_max: relay.batch_events_max,
        batch_bytes_max: relay.batch_bytes_max,
        cursor_events_max: relay.cursor_events_max,
        cursor_delay_max: relay.cursor_ms_max,
        backoff_min: relay.backoff_ms_min,
        backoff_max: relay.backoff_ms_max,
        backoff_seed: Uuid::now_v7().as_u64_pair().1,
        drain_max: DRAIN_MAX,
    }
}

/// The LSNs that retention must not pass.
pub(super) fn saved_lsns(saved: &[Arc<SavedPosition>]) -> Vec<Lsn> {
    saved.iter().map(|position| position.lsn()).collect()
}
