//! Everything of a daemon but its threads, wired in one place. The daemon gives it threads; the simulation and the
//! batteries drive it step by step.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::AppError;
use super::cursors::{load_cursors, position_of, uuid_of};
use super::executor_rows::ExecutorRows;
use super::host::Host;
use super::registration::{LateSink, RegisteredSinks, check_sinks, make_cursor_later, register};
use super::relays::{Relay, RelayHandle};
use super::sink_options::SinkOptions;
use crate::contracts::{
    Clock, DecisionBatch, JournalNeeds, Lsn, OrderRows, PlanStore as _, Progress as _, ReplayProgress, Sequence,
    SinkRecord, SinkType, Storage,
};
use crate::domain::OrderId;
use crate::executor::{Executor, ExecutorOptions, Operations, Task};
use crate::journal::{IdentityError, JournalHandle, StoreId, create_store, open_store as open_store_id};
use crate::relay::{
    Registration, RegistrationPorts, Subscription, SubscriptionPorts, SubscriptionSettings, Worker, WorkerPorts,
    cloud_event,
};
use crate::repo::{
    CursorFile, Maintenance, MaintenanceOptions, OpenReport, ReplayCursors, Store, StoreOptions, lsn_of, recover_store,
};

/// What the configuration says about the parts.
#[derive(Debug, Clone)]
pub struct CoreOptions {
    /// The store's.
    pub store: StoreOptions,
    /// The executor's.
    pub executor: ExecutorOptions,
    /// Checkpoints and retention.
    pub maintenance: MaintenanceOptions,
    /// The sinks, in the order of the configuration.
    pub sinks: Vec<SinkOptions>,
    /// The longest line that an attached program may send.
    pub line_bytes_max: usize,
}

/// An opened store with everything that works on it.
pub struct Core {
    /// Decides and makes durable.
    pub executor: Executor<Store>,
    /// Publish: one for each configured sink.
    pub relays: Vec<Relay>,
    /// What the relays decide, on its way to the executor.
    pub decisions: Receiver<DecisionBatch>,
    /// Asks the executor for a look at the store, between two batches.
    pub ask: Sender<Task<Store>>,
    /// What is asked of it.
    pub tasks: Receiver<Task<Store>>,
    /// Sinks that are forgotten for good: their cursors are to be removed.
    pub forgotten: Receiver<String>,
    /// Writes checkpoints and deletes.
    pub maintenance: Maintenance,
    /// What reading the journal takes.
    pub journal: JournalHandle,
    /// What the start found.
    pub report: OpenReport,
}

impl Core {
    /// Opens the store below the host's data directory, and wires everything that works on it.
    ///
    /// The order is what keeps two daemons apart and a refused start without a trace:
    /// 1. the lock, before anything is looked at;
    /// 2. whether somebody answers at the socket, before a byte is changed;
    /// 3. which store it is; a missing one is made, an unreadable one is not;
    /// 4. the cursors, because what a sink has seen must be in the journal;
    /// 5. the state, from checkpoint and journal;
    /// 6. the sinks of configuration, records and cursors, compared: up to here nothing is changed;
    /// 7. the journal's end, repaired, and new sinks, recorded;
    /// 8. the workers;
    /// 9. the socket, so that nobody can ask before there is somebody to answer.
    ///
    /// # Errors
    /// Whatever keeps the store from being opened. If it is damaged, nothing was changed.
    pub fn open(host: &mut dyn Host, options: &CoreOptions) -> Result<Self, AppError> {
        host.lock()?;
        host.probe_socket()?;
        let storage = host.storage()?;
        let store_id = open_or_create(storage.as_ref(), host)?;
        let cursors = load_cursors(storage.as_ref(), store_id)?;
        let clock = host.clock();
        let seen: Vec<_> = cursors.sound.iter().map(|(name, cursor)| position_of(name, cursor)).collect();
        let recovered = recover_store(&storage, store_id, &options.store, &seen)?;
        let sinks = check_sinks(&recovered, &options.sinks, cursors)?;
        let journal = recovered.files().clone();
        let (mut store, report) = recovered.open(Arc::clone(&clock), &options.store)?;
        log_report(&report, clock.as_ref());
        let RegisteredSinks { cursors, late } = register(&mut store, &journal, clock.as_ref(), &options.sinks, sinks)?;
        let (decide, decisions) = bounded(options.sinks.len().max(1));
        let needs = Arc::new(JournalNeeds::default());
        for (name, cursor) in &cursors {
            let saved = cursor.saved();
            needs.add(Arc::from(name.as_str()), Box::new(move || saved.lsn()));
        }
        // One of each sink, one that a sink has left under way, and maintenance's.
        let (ask, tasks) = bounded(options.sinks.len().saturating_mul(2).saturating_add(1));
        let rows: Arc<dyn OrderRows> = Arc::new(ExecutorRows { tasks: ask.clone() });
        let needed = Arc::clone(&needs);
        let parts = RelayParts { options, store: &store, journal: &journal, decide, rows, late, needs: needed };
        let (relays, leftovers) = open_relays(host, &parts, cursors)?;
        store.set_inboxes(relays.iter().map(Relay::inbox).collect());
        let (maintenance_needs, covered) = (Arc::clone(&needs), report.checkpoint_lsn);
        let maintenance =
            Maintenance::new(journal.clone(), Arc::clone(&clock), options.maintenance, covered, maintenance_needs);
        let mut executor = Executor::new(store, clock, host.order_ids(), options.executor);
        let (forget, forgotten) = bounded(FORGOTTEN_MAX);
        executor.operate_with(operations(&relays, &options.sinks, &leftovers, needs, forget));
        host.bind_socket()?;
        Ok(Self { executor, relays, decisions, ask, tasks, forgotten, maintenance, journal, report })
    }
}

/// Forgotten sinks whose cursors wait to be removed; those of more are removed by the next start.
const FORGOTTEN_MAX: usize = 64;

fn operations(
    relays: &[Relay],
    sinks: &[SinkOptions],
    leftovers: &[Leftover],
    needs: Arc<JournalNeeds>,
    forget: Sender<String>,
) -> Operations {
    Operations {
        sinks: relays.iter().map(|relay| relay.handle.sink.clone()).collect(),
        replays_max: sinks.iter().map(SinkOptions::replays_max).collect(),
        leftovers: leftovers.iter().map(|sink| (Arc::clone(&sink.name), sink.sequence)).collect(),
        render: cloud_event::render,
        pins: Arc::clone(needs.backups()),
        on_forgotten: Box::new(move |sink| {
            needs.remove(sink);
            if forget.try_send(sink.to_owned()).is_err() {
                tracing::warn!(sink, "its cursor is removed by the next start");
            }
        }),
    }
}

fn open_or_create(storage: &dyn Storage, host: &mut dyn Host) -> Result<StoreId, AppError> {
    match open_store_id(storage) {
        Err(IdentityError::Missing) => {
            let store_id = create_store(storage, StoreId::from_bytes(host.new_store_id()))?;
            tracing::info!(%store_id, "made a new store");
            Ok(store_id)
        }
        opened => Ok(opened?),
    }
}

/// A sink that is recorded, with a cursor, and not configured.
struct Leftover {
    name: Arc<str>,
    sequence: Sequence,
}

/// What a worker is made of.
struct RelayParts<'a> {
    options: &'a CoreOptions,
    store: &'a Store,
    journal: &'a JournalHandle,
    decide: Sender<DecisionBatch>,
    rows: Arc<dyn OrderRows>,
    late: Vec<LateSink>,
    needs: Arc<JournalNeeds>,
}

impl RelayParts<'_> {
    fn late(&self, name: &str) -> Option<&LateSink> {
        self.late.iter().find(|late| *late.sink.name == *name)
    }

    /// What is recorded of the sink, or will be as soon as there is room.
    fn record(&self, name: &str) -> Option<&SinkRecord> {
        self.store.sink(name).or_else(|| Some(&self.late(name)?.record))
    }

    /// What records the sink of `relay` as soon as there is room, if there was none.
    fn registration(&self, relay: &RelayHandle, clock: Arc<dyn Clock>) -> Option<Registration> {
        let LateSink { sink, record, has_cursor } = self.late(&relay.sink.name)?;
        let ports = RegistrationPorts {
            make_cursor: (!has_cursor).then(|| make_cursor_later(self.journal, sink)),
            clock,
            decide: self.decide.clone(),
            uid: rustix::process::geteuid().as_raw(),
            inbox: Arc::clone(&relay.sink.inbox),
            monitor: Arc::clone(&relay.sink.monitor),
        };
        Some(Registration::new(Arc::clone(&sink.name), record.start.clone(), ports))
    }

    fn replay_progress(&self) -> Arc<dyn ReplayProgress> {
        Arc::new(ReplayCursors {
            history: self.store.history(),
            storage: Arc::clone(&self.journal.storage),
            store_id: uuid_of(self.journal.store_id),
            needs: Arc::clone(&self.needs),
        })
    }
}

fn open_relays(
    host: &mut dyn Host,
    parts: &RelayParts<'_>,
    mut cursors: Vec<(String, CursorFile)>,
) -> Result<(Vec<Relay>, Vec<Leftover>), AppError> {
    let mut relays = Vec::new();
    for sink in &parts.options.sinks {
        let at = cursors.iter().position(|(name, _)| *name == sink.worker.name);
        let Some((_, cursor)) = at.map(|at| cursors.swap_remove(at)) else {
            return Err(AppError::Internal(format!("sink {} has no cursor", sink.worker.name)));
        };
        let mut relay = match sink.worker.sink_type {
            SinkType::File | SinkType::Stdout => open_lines(host, parts, sink, cursor)?,
            SinkType::Subscription => open_subscription(host, parts, sink, cursor)?,
        };
        relay.registration = parts.registration(&relay.handle, host.clock());
        relays.push(relay);
    }
    let leftovers = cursors.into_iter().map(|(name, cursor)| {
        let position = cursor.position();
        tracing::warn!(sink = name, lsn = %lsn_of(&position), "a sink that is not configured keeps its cursor, and the \
            journal from there on; `orderd sink forget` lets it go");
        Leftover { name: name.into(), sequence: position.sequence }
    });
    Ok((relays, leftovers.collect()))
}

fn open_lines(
    host: &mut dyn Host,
    parts: &RelayParts<'_>,
    sink: &SinkOptions,
    cursor: CursorFile,
) -> Result<Relay, AppError> {
    let target = host.open_sink(&sink.worker)?;
    let ports = WorkerPorts {
        history: parts.store.history(),
        rows: Arc::clone(&parts.rows),
        clock: host.clock(),
        decide: parts.decide.clone(),
        uid: rustix::process::geteuid().as_raw(),
        replays: parts.replay_progress(),
    };
    let worker = Worker::new(&sink.worker, ports, target, Box::new(cursor), parts.record(&sink.worker.name));
    Ok(Relay::of_lines(worker, sink.worker.sink_type))
}

fn open_subscription(
    host: &mut dyn Host,
    parts: &RelayParts<'_>,
    sink: &SinkOptions,
    cursor: CursorFile,
) -> Result<Relay, AppError> {
    let name = sink.worker.name.as_str();
    let Some(record) = parts.record(name) else {
        return Err(AppError::Internal(format!("sink {name} is not recorded")));
    };
    let settings = SubscriptionSettings {
        name: name.into(),
        limits: sink.limits.clone(),
        cursor_events_max: sink.worker.cursor_events_max,
        cursor_delay_max: sink.worker.cursor_delay_max,
        delivered_tags_max: sink.delivered_tags_max,
        failures_listed_max: sink.worker.failures_listed_max,
        drain_max: sink.worker.drain_max,
        line_bytes_max: parts.options.line_bytes_max,
        uid: rustix::process::geteuid().as_raw(),
        epoch: parts.store.epoch(),
    };
    let ports = SubscriptionPorts {
        history: parts.store.history(),
        rows: Arc::clone(&parts.rows),
        lane_rows: lane_rows(parts.store, record),
        decide: parts.decide.clone(),
        clock: host.clock(),
        replays: parts.replay_progress(),
    };
    Ok(Relay::of_subscription(name, Subscription::new(settings, ports, record, Box::new(cursor))?))
}

/// The rows of parked orders, while the sink is being handed a snapshot that has them.
fn lane_rows(store: &Store, record: &SinkRecord) -> HashMap<OrderId, Sequence> {
    let Some(snapshot) = record.running_snapshot() else { return HashMap::new() };
    let row = |order_id: &OrderId| {
        let (number, _) = store.order_row(*order_id).filter(|(number, _)| *number < snapshot.orders)?;
        Some((*order_id, Sequence(number).next()))
    };
    record.lanes.keys().filter_map(row).collect()
}

/// Tells what a start found, for people.
fn log_report(report: &OpenReport, clock: &dyn Clock) {
    for error in &report.damaged_checkpoints {
        tracing::error!(%error, "passed over a checkpoint that does not read; an older one and the journal have it all");
    }
    if let Some(tail) = &report.journal.torn_tail {
        let (path, offset, bytes) = (&tail.path, tail.offset, tail.bytes);
        tracing::warn!(path, offset, bytes, "truncated a torn tail (unacknowledged batch)");
    }
    let (lsn, checkpoint, frames): (Lsn, Lsn, u64) =
        (report.journal.last_lsn, report.checkpoint_lsn, report.journal.frames);
    let elapsed_ms = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%lsn, %checkpoint, frames, elapsed_ms, "recovered the store");
}
