//! One run of the daemon in one thread: what `app` gives threads to, driven step by step.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use orderd::app::{AppError, Core, Relay as CoreRelay, RelayWorker};
use orderd::contracts::{Clock, CommitError, Decision, DecisionBatch, FeedPosition, PlanStore, SinkRecord, SinkState};
use orderd::executor::{Executor, Task};
use orderd::journal::JournalHandle;
use orderd::relay::{Registered, Registration, Step, Worker, WorkerError};
use orderd::repo::{Maintenance, OpenReport, Store};

use crate::clock::SimClock;
use crate::disk::hook;
use crate::environment::{Environment, SinkSetup};
use crate::host::SimHost;
use crate::rng::Rng;
use crate::sink::look;

/// Why a run could not start.
#[derive(Debug)]
pub enum StartError {
    /// Exit code 65: the store is damaged; no byte was changed.
    Damaged(String),
    /// Exit code 74: something could not be read or written.
    Io(String),
    /// Exit code 78: written by a newer version.
    Version(String),
}

/// A relay worker, and why it ended.
pub struct Relay {
    worker: Option<Worker>,
    /// What has to be done before it begins, if there was no room for its sink's record.
    registration: Option<Registration>,
    /// Why it ended.
    pub failed: Option<WorkerError>,
    /// How often it delivered something while somebody waited for a sync.
    pub delivered_while_syncing: u64,
}

impl Relay {
    /// The worker, until it has ended.
    #[must_use]
    pub const fn worker(&self) -> Option<&Worker> {
        self.worker.as_ref()
    }
}

impl Relay {
    fn register(&mut self) {
        match self.registration.as_mut().map(Registration::step) {
            None | Some(Ok(Registered::NotBefore(_))) => {}
            Some(Ok(Registered::Done)) => self.registration = None,
            Some(Err(error)) => (self.worker, self.registration, self.failed) = (None, None, Some(error)),
        }
    }

    /// The damage that its sink is blocked by.
    fn damage(&self) -> Option<String> {
        let status = self.worker.as_ref()?.monitor().read();
        let is_blocked = status.state == SinkState::Blocked;
        status.last_error.filter(|problem| is_blocked && !problem.starts_with("reading the outbox"))
    }
}

/// All workers; shared with what runs while others wait for a sync.
pub type Relays = Rc<RefCell<Vec<Relay>>>;

/// A run.
pub struct Daemon {
    /// Decides and stores.
    pub executor: Executor<Store>,
    /// Publishes.
    pub relays: Relays,
    /// Writes checkpoints and deletes; taken out while it is at work.
    pub maintenance: Option<Maintenance>,
    /// What reading the journal takes.
    pub files: JournalHandle,
    /// What the start found.
    pub report: OpenReport,
    /// Where each cursor stood.
    pub positions: Vec<FeedPosition>,
    /// Of each sink that was being handed a snapshot, how far that was.
    pub snapshots: Vec<Option<SnapshotAt>>,
    tasks: Receiver<Task<Store>>,
    decisions: Receiver<DecisionBatch>,
}

/// How far a snapshot was at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotAt {
    /// Its rows that the cursor said are acknowledged.
    pub rows: u64,
    /// The other ones.
    pub left: u64,
}

/// What was done for the workers.
#[derive(Debug, Default)]
pub struct Attended {
    /// How many looks at the store they got.
    pub tasks: usize,
    /// What they had decided, and is durable.
    pub decided: Vec<Decision>,
}

impl Daemon {
    /// Starts as the daemon does, by the daemon's own wiring.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(around: &Environment) -> Result<Self, StartError> {
        let mut host = SimHost::new(around);
        let core = Core::open(&mut host, &around.core_options())?;
        let store = core.executor.store();
        let snapshot_at = |relay: &CoreRelay| {
            let (sink, left) = (&relay.handle.sink, relay.handle.sink.view.snapshot_left());
            let start = store.sink(&sink.name).and_then(SinkRecord::running_snapshot)?;
            Some(SnapshotAt { rows: start.orders.saturating_sub(left), left })
        };
        let snapshots: Vec<_> = core.relays.iter().map(snapshot_at).collect();
        let relays: Vec<Relay> = core.relays.into_iter().filter_map(lines).collect();
        let positions: Vec<_> = relays.iter().filter_map(|relay| Some(relay.worker()?.position())).collect();
        for (sink, position) in around.sinks.iter().zip(&positions) {
            let mut consumer = look(&sink.consumer);
            // The start that records a sink says where it begins; until something is seen it may be this one.
            if consumer.seen.is_empty() {
                consumer.base = position.sequence.0;
            }
        }
        let relays = Rc::new(RefCell::new(relays));
        Ok(Self {
            executor: core.executor,
            relays,
            maintenance: Some(core.maintenance),
            files: core.journal,
            report: core.report,
            positions,
            snapshots,
            tasks: core.tasks,
            decisions: core.decisions,
        })
    }

    /// Lets workers look at the store, and makes durable what they have decided, as the executor's thread does.
    ///
    /// # Errors
    /// It is not known what is stored: the process must end.
    pub fn attend(&mut self) -> Result<Attended, CommitError> {
        let mut attended = Attended::default();
        self.relays.borrow_mut().iter_mut().for_each(Relay::register);
        while let Ok(task) = self.tasks.try_recv() {
            task(self.executor.store());
            attended.tasks += 1;
        }
        while let Ok(batch) = self.decisions.try_recv() {
            let before = self.executor.store().durable_lsn();
            self.executor.run_with_decisions(&[], vec![batch.clone()])?;
            if self.executor.store().durable_lsn() > before {
                attended.decided.extend(batch.decisions);
            }
        }
        self.relays.borrow_mut().iter_mut().for_each(Relay::register);
        Ok(attended)
    }

    /// Whether there is a sink that was not recorded yet.
    #[must_use]
    pub fn has_late_sinks(&self) -> bool {
        self.relays.borrow().iter().any(|relay| relay.registration.is_some())
    }

    /// From now on workers step now and then while somebody waits for a sync.
    pub fn relay_while_syncing(&self, mut rng: Rng) {
        let relays = Rc::clone(&self.relays);
        hook::set(Box::new(move || {
            // Not while it is a worker that waits for a sync.
            let count = relays.try_borrow_mut().map_or(0, |relays| relays.len());
            if count > 0 && rng.percent(40) {
                let number = rng.index(count);
                let delivered = step(&relays, number) == Some(Step::Delivered);
                if let Some(relay) = relays.borrow_mut().get_mut(number).filter(|_| delivered) {
                    relay.delivered_while_syncing += 1;
                }
            }
        }));
    }

    /// What the sinks acknowledge counts from where the cursors stand: this run offers again what lies behind.
    pub fn begin_run(&self, sinks: &[SinkSetup]) {
        for (sink, position) in sinks.iter().zip(&self.positions) {
            look(&sink.consumer).run_acknowledged = position.sequence.0;
        }
    }

    /// Lets the relay work until there is nothing to do.
    ///
    /// # Errors
    /// A worker ended, or never comes to rest.
    pub fn drain(&self, clock: &SimClock) -> Result<(), String> {
        let workers = self.relays.borrow().len();
        for number in 0..workers {
            self.drain_one(number, clock)?;
            if let Some(error) = &self.relays.borrow()[number].failed {
                return Err(format!("worker {number} ended: {error:?}"));
            }
        }
        Ok(())
    }

    /// Steps one worker; `None` if it has ended.
    pub fn step(&self, number: usize) -> Option<Step> {
        step(&self.relays, number)
    }

    /// Steps one worker until it has nothing to do any more, or has ended.
    ///
    /// # Errors
    /// It never comes to rest.
    pub fn drain_one(&self, number: usize, clock: &SimClock) -> Result<(), String> {
        for _ in 0..10_000 {
            match self.step(number) {
                Some(Step::Delivered) => {}
                Some(Step::Idle) | None => return Ok(()),
                Some(Step::CursorDue(at) | Step::Retry(at)) => {
                    let wait = at.saturating_sub(clock.monotonic()).as_micros();
                    clock.wait(u32::try_from(wait).unwrap_or(u32::MAX));
                }
            }
        }
        Err(format!("STUCK: worker {number} never comes to rest"))
    }

    /// Stops as the daemon does on SIGTERM: the journal sealed, the cursors saved.
    ///
    /// # Errors
    /// Something could not be saved.
    pub fn stop(mut self) -> Result<(), String> {
        hook::clear();
        self.executor.store_mut().close().map_err(|error| format!("close: {error}"))?;
        if let Some(mut maintenance) = self.maintenance.take() {
            maintenance.checkpoint_at_stop(self.executor.store(), Duration::from_secs(3600));
        }
        for relay in self.relays.borrow_mut().iter_mut() {
            if let Some(worker) = &mut relay.worker {
                worker.save().map_err(|error| format!("save: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        hook::clear();
    }
}

fn lines(relay: CoreRelay) -> Option<Relay> {
    let worker = match relay.worker {
        RelayWorker::Lines(worker) => *worker,
        RelayWorker::Subscription(_) => return None,
    };
    let registration = relay.registration;
    Some(Relay { worker: Some(worker), registration, failed: None, delivered_while_syncing: 0 })
}

fn step(relays: &Relays, number: usize) -> Option<Step> {
    let mut relays = relays.borrow_mut();
    let relay = relays.get_mut(number)?;
    if relay.registration.is_some() {
        return Some(Step::Idle);
    }
    match relay.worker.as_mut()?.step() {
        // Damage stops the sink, and what it says is what counts; what cannot be read for the moment is read again.
        Ok(Step::Retry(_)) if relay.damage().is_some() => {
            relay.failed = relay.damage().map(WorkerError::Damaged);
            relay.worker = None;
            None
        }
        Ok(step) => Some(step),
        Err(error) => {
            relay.worker = None;
            relay.failed = Some(error);
            None
        }
    }
}

impl From<AppError> for StartError {
    fn from(error: AppError) -> Self {
        let text = error.to_string();
        match error {
            AppError::Damaged(_) => Self::Damaged(text),
            AppError::Config(_) => Self::Version(text),
            AppError::Held(_) | AppError::Io(_) | AppError::Permission(_) | AppError::Internal(_) => Self::Io(text),
        }
    }
}
