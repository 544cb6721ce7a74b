//! The sinks of a daemon over PostgreSQL: recorded when they are first seen, and stood for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Sender, bounded};

use super::AppError;
use super::candidate::{Candidate, MakeTarget, not_the_relay};
use super::core::CoreOptions;
use super::election::{Elections, Post};
use super::host::Host as _;
use super::machine::Machine;
use super::relays::Relay;
use super::sink_options::SinkOptions;
use crate::config::{Config, SinkKind, SinkStart};
use crate::contracts::{
    CommitError, Decision, DecisionBatch, DecisionKind, PlanStore as _, ReplayProgress, Sequence, SinkStartPoint,
    SinkState, SinkStatus, SnapshotStart,
};
use crate::executor::Task;
use crate::postgres::{Database, Keeper, Kept, Leases, PostgresReplays, PostgresStore, SinkElection};
use crate::relay::Seat;
use crate::relay::sinks::{FileSink, StdoutSink};

/// What relaying takes.
pub(super) struct Relaying {
    pub(super) relays: Vec<Relay>,
    pub(super) elections: Elections,
    /// Where each candidate waits for the way to the executor's store.
    pub(super) waiting: Vec<Sender<Sender<Task<PostgresStore>>>>,
    /// Recorded sinks that this daemon does not configure, and how far they are.
    pub(super) leftovers: BTreeMap<Arc<str>, Sequence>,
}

/// Records new sinks, and makes a candidate of each that is configured.
pub(super) fn open(
    config: &Config,
    options: &CoreOptions,
    host: &Machine<'_>,
    database: &Database,
    store: &mut PostgresStore,
    decide: &Sender<DecisionBatch>,
) -> Result<Relaying, AppError> {
    register(store, host, &options.sinks)?;
    let leases = Arc::new(Leases::default());
    store.fence_with(Arc::clone(&leases));
    let daemon = config.daemon.name.clone();
    let election = || SinkElection::new(database.clone(), daemon.clone(), Arc::clone(&leases), host.clock());
    let replays: Arc<dyn ReplayProgress> =
        Arc::new(PostgresReplays::new(database.clone(), Arc::clone(&leases), store.history()));
    let (mut relays, mut posts, mut waiting, mut inboxes) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    for sink in &options.sinks {
        let (name, sink_type) = (Arc::<str>::from(sink.worker.name.as_str()), sink.worker.sink_type);
        let after = store.sink(&name).map_or(Sequence::ZERO, |record| record.start.after);
        let status = SinkStatus { state: SinkState::Waiting, ..SinkStatus::new(name.to_string(), sink_type, after) };
        let seat = Seat::new(status);
        seat.attaches.set_elsewhere(Some(not_the_relay(&name, None)));
        inboxes.insert(Arc::clone(&name), Arc::clone(&seat.inbox));
        let stands = sink.daemon.as_ref().is_none_or(|named| *named == daemon);
        let (send_elected, elected) = bounded(1);
        let (send_tasks, tasks) = bounded(1);
        waiting.push(send_tasks);
        let candidate = Candidate {
            sink: sink.clone(),
            seat: seat.clone(),
            make_target: make_target(config, sink),
            history: store.history(),
            replays: Arc::clone(&replays),
            decide: decide.clone(),
            clock: host.clock(),
            line_bytes_max: options.line_bytes_max,
            elected,
            tasks,
            election: election(),
            database: database.clone(),
        };
        relays.push(Relay::of_seat(&name, sink_type, &seat, Box::new(move || candidate.run())));
        posts.push(Post { name, seat, elected: stands.then_some(send_elected), retries: None });
    }
    store.set_inboxes(inboxes);
    let mut election = election();
    let leftovers = leftovers(store, &options.sinks, &mut election);
    let kept = Kept {
        events_ahead: config.store.partition_events_ahead,
        events: config.store.retain_events,
        decisions: config.store.retain_decisions,
        command_ids: config.executor.command_ids_max,
        every: config.store.maintain_ms,
    };
    let keeper = Keeper::new(database.clone(), kept);
    let elections = Elections { posts, election, keeper, leases, daemon, clock: host.clock() };
    Ok(Relaying { relays, elections, waiting, leftovers })
}

fn leftovers(
    store: &PostgresStore,
    sinks: &[SinkOptions],
    election: &mut SinkElection,
) -> BTreeMap<Arc<str>, Sequence> {
    let is_configured = |name: &str| sinks.iter().any(|sink| sink.worker.name == name);
    let records = store.sinks().into_iter().filter(|record| !is_configured(&record.name));
    let acked = |name: &str| election.look(name).ok().flatten().map(|looked| looked.acked_sequence);
    let mut acked = acked;
    records.map(|record| (Arc::clone(&record.name), acked(&record.name).unwrap_or(record.start.after))).collect()
}

/// `None` for a subscription.
fn make_target(config: &Config, sink: &SinkOptions) -> Option<MakeTarget> {
    let configured = config.sinks.iter().find(|configured| configured.name == sink.worker.name)?;
    let batch_bytes_max = config.relay.batch_bytes_max;
    match &configured.kind {
        SinkKind::File { path } => {
            let path = path.clone();
            Some(Box::new(move || Ok(Box::new(FileSink::new(path.clone(), batch_bytes_max)))))
        }
        SinkKind::Stdout => Some(Box::new(|| Ok(Box::new(StdoutSink::stdout()?)))),
        SinkKind::Subscription => None,
    }
}

/// Records the sinks that the store does not know; another daemon may be about to do the same.
fn register(store: &mut PostgresStore, host: &Machine<'_>, sinks: &[SinkOptions]) -> Result<(), AppError> {
    loop {
        store.look().store(true, Ordering::Release);
        store.make_room()?;
        let decisions = new_sinks(store, host, sinks)?;
        if decisions.is_empty() {
            return Ok(());
        }
        match store.stage_decisions(None, decisions).and_then(|_| store.commit()) {
            Ok(_) => return Ok(()),
            Err(error @ (CommitError::Conflict { .. } | CommitError::Unavailable(_) | CommitError::Unknown(_))) => {
                tracing::warn!(%error, "recording new sinks, once more");
                crossbeam_channel::after(store.backoff()).recv().ok();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn new_sinks(store: &PostgresStore, host: &Machine<'_>, sinks: &[SinkOptions]) -> Result<Vec<Decision>, AppError> {
    let mut decisions = Vec::new();
    for sink in sinks {
        let name = sink.worker.name.as_str();
        let start = match store.sink(name) {
            Some(record) if record.start.sink_type == sink.worker.sink_type => continue,
            Some(record) => SinkStartPoint { sink_type: sink.worker.sink_type, ..record.start.clone() },
            None => {
                let after = start_after(store, sink)?;
                tracing::info!(sink = name, %after, "a new sink starts");
                let (sink_type, source) = (sink.worker.sink_type, store.event_source());
                SinkStartPoint { sink_type, after, snapshot: snapshot_start(store, sink), source }
            }
        };
        decisions.push(Decision {
            sink: Arc::from(name),
            at: host.clock().now(),
            uid: rustix::process::geteuid().as_raw(),
            reason: Arc::from(""),
            kind: DecisionKind::Registered(start),
        });
    }
    Ok(decisions)
}

/// What there is at the head that `start_after` begins at: both were read at one moment.
fn snapshot_start(store: &PostgresStore, sink: &SinkOptions) -> Option<SnapshotStart> {
    let now = || SnapshotStart { orders: store.orders_count(), epoch: store.epoch(), lsn: store.durable_lsn() };
    (sink.start == SinkStart::Snapshot).then(now)
}

fn start_after(store: &PostgresStore, sink: &SinkOptions) -> Result<Sequence, AppError> {
    let history = store.history();
    let after = match sink.start {
        SinkStart::Beginning => Sequence(history.oldest_sequence()?.0.saturating_sub(1)),
        SinkStart::Now | SinkStart::Snapshot => store.last_sequence(),
        SinkStart::Sequence(sequence) => Sequence(sequence.saturating_sub(1)),
    };
    history.open_after(after)?;
    Ok(after)
}
