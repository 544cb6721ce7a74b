//! A daemon that stands for the relay of one sink: it runs a worker whenever it was elected.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::sink_options::SinkOptions;
use crate::contracts::{
    Clock, DecisionBatch, EventHistory, OrderRows, Progress, ProgressError, ReplayProgress, RowsAnswer, Sink,
    SinkRecord,
};
use crate::executor::Task;
use crate::postgres::{Database, PostgresProgress, PostgresRows, PostgresStore, SinkElection};
use crate::relay::{Seat, Subscription, SubscriptionPorts, SubscriptionSettings, Worker, WorkerError, WorkerPorts};

/// How often a vacant seat is looked after.
const VACANT_TURN: Duration = Duration::from_millis(100);

/// Of a sink that is being handed no snapshot.
struct NoRows;

impl OrderRows for NoRows {
    fn ask(&self, _: u64, _: usize, _: RowsAnswer) -> bool {
        false
    }
}

/// Makes the target of a `file` or `stdout` sink.
pub(super) type MakeTarget = Box<dyn Fn() -> std::io::Result<Box<dyn Sink>> + Send>;

/// Stands for one sink.
pub(super) struct Candidate {
    pub(super) sink: SinkOptions,
    pub(super) seat: Seat,
    /// `None` for a subscription.
    pub(super) make_target: Option<MakeTarget>,
    pub(super) history: Arc<dyn EventHistory>,
    pub(super) replays: Arc<dyn ReplayProgress>,
    pub(super) decide: Sender<DecisionBatch>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) line_bytes_max: usize,
    /// Elections that this daemon has won.
    pub(super) elected: Receiver<PostgresProgress>,
    /// The way to the executor's store, once it runs.
    pub(super) tasks: Receiver<Sender<Task<PostgresStore>>>,
    /// Lets the sink go.
    pub(super) election: SinkElection,
    /// Where the orders of a snapshot are read.
    pub(super) database: Database,
}

impl Candidate {
    /// Works until it is told to stop.
    pub(super) fn run(mut self) -> Result<(), WorkerError> {
        self.seat.heartbeat.set_waiting(true);
        let Ok(tasks) = self.tasks.recv() else { return Ok(()) };
        loop {
            match self.elected.recv_timeout(VACANT_TURN) {
                Ok(progress) => self.relay(&tasks, progress)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.seat.control.wait_vacant(VACANT_TURN);
                }
            }
            self.leave_vacant();
            if self.seat.control.stop_requested() {
                return Ok(());
            }
        }
    }

    /// Runs a worker until it is told to stop, or another daemon may have been elected.
    fn relay(&mut self, tasks: &Sender<Task<PostgresStore>>, progress: PostgresProgress) -> Result<(), WorkerError> {
        let (epoch, name) = (progress.epoch(), self.sink.worker.name.clone());
        let acked_sequence = progress.position().sequence;
        if let Some(record) = self.record(tasks, &progress) {
            tracing::info!(sink = name, epoch, %acked_sequence, "elected as the relay");
            match self.work(&record, progress) {
                Err(WorkerError::Cursor(ProgressError::Deposed(reason))) => {
                    tracing::warn!(sink = name, epoch, reason, "relays the sink no longer");
                }
                ended => ended?,
            }
        }
        if let Err(error) = self.election.release(&name, epoch) {
            tracing::debug!(sink = name, %error, "the lease ends by itself");
        }
        Ok(())
    }

    /// What was decided about the sink; from then on the inbox has what is decided after it. `None` if this daemon stops,
    /// or was deposed meanwhile.
    fn record(&self, tasks: &Sender<Task<PostgresStore>>, progress: &PostgresProgress) -> Option<SinkRecord> {
        while progress.is_held(self.clock.monotonic()) && !self.seat.control.stop_requested() {
            let (answer, answered) = bounded(1);
            let (name, inbox) = (self.sink.worker.name.clone(), Arc::clone(&self.seat.inbox));
            let ask = move |store: &PostgresStore| {
                let record = store.current_sink(&name);
                // What came before is in the record.
                drop(inbox.take());
                answer.send(record).ok();
            };
            tasks.send(Box::new(ask)).ok()?;
            if let Some(record) = answered.recv().ok()? {
                return Some(record);
            }
            // An empty batch has the executor look at what was decided.
            self.decide.try_send(DecisionBatch { ticket: 0, decisions: Vec::new() }).ok();
            self.seat.control.wait_vacant(VACANT_TURN);
        }
        None
    }

    fn work(&self, record: &SinkRecord, progress: PostgresProgress) -> Result<(), WorkerError> {
        let progress = Box::new(progress);
        self.seat.heartbeat.set_waiting(false);
        match &self.make_target {
            Some(make_target) => {
                let ports = WorkerPorts {
                    history: Arc::clone(&self.history),
                    rows: self.rows(record)?,
                    clock: Arc::clone(&self.clock),
                    decide: self.decide.clone(),
                    uid: rustix::process::geteuid().as_raw(),
                    replays: Arc::clone(&self.replays),
                };
                let mut worker = Worker::new(&self.sink.worker, ports, make_target()?, progress, Some(record));
                worker.take_seat(&self.seat);
                worker.run(&self.seat.control)
            }
            None => {
                let settings = self.settings(progress.store_epoch());
                let mut subscription = Subscription::new(settings, self.ports(record)?, record, progress)?;
                subscription.take_seat(&self.seat);
                self.seat.attaches.set_elsewhere(None);
                subscription.run()
            }
        }
    }

    fn settings(&self, epoch: u32) -> SubscriptionSettings {
        let worker = &self.sink.worker;
        SubscriptionSettings {
            name: worker.name.as_str().into(),
            limits: self.sink.limits.clone(),
            cursor_events_max: worker.cursor_events_max,
            cursor_delay_max: worker.cursor_delay_max,
            drain_max: worker.drain_max,
            line_bytes_max: self.line_bytes_max,
            delivered_tags_max: self.sink.delivered_tags_max,
            failures_listed_max: worker.failures_listed_max,
            uid: rustix::process::geteuid().as_raw(),
            epoch,
        }
    }

    fn ports(&self, record: &SinkRecord) -> Result<SubscriptionPorts, WorkerError> {
        Ok(SubscriptionPorts {
            history: Arc::clone(&self.history),
            rows: self.rows(record)?,
            lane_rows: HashMap::new(),
            decide: self.decide.clone(),
            clock: Arc::clone(&self.clock),
            replays: Arc::clone(&self.replays),
        })
    }

    fn rows(&self, record: &SinkRecord) -> std::io::Result<Arc<dyn OrderRows>> {
        let Some(start) = record.running_snapshot() else { return Ok(Arc::new(NoRows)) };
        Ok(Arc::new(PostgresRows::new(self.database.clone(), &record.name, start)?))
    }

    fn leave_vacant(&self) {
        let attaches = &self.seat.attaches;
        if attaches.elsewhere().is_none() && self.make_target.is_none() {
            attaches.set_elsewhere(Some(not_the_relay(&self.sink.worker.name, None)));
        }
        self.seat.leave(attaches.elsewhere().as_deref().unwrap_or_default());
    }
}

/// Why a program cannot attach here.
pub(super) fn not_the_relay(sink: &str, relay: Option<&str>) -> Arc<str> {
    Arc::from(match relay {
        Some(relay) => format!("this daemon does not relay the sink {sink}; {relay} does: attach there"),
        None => format!("no daemon relays the sink {sink} at present; one is being elected, try again"),
    })
}
