//! One run of the daemon with a subscription, driven step by step.

use std::io;

use crossbeam_channel::Receiver;
use orderd::app::{Core, RelayHandle, RelayWorker};
use orderd::contracts::{
    ConnectionId, DecisionBatch, Envelope, OperatorRequest, Outcome, ParkedLane, PlanStore as _, Request, SinkRecord,
    SinkType, Ticket,
};
use orderd::executor::{Executor, Task};
use orderd::relay::{Step, Subscription};
use orderd::repo::{CheckpointBegin, CheckpointSource, DedupEntry, LaneName, Maintenance, OrderRow, Store};

use crate::environment::Environment;
use crate::host::SimHost;

/// The one sink.
pub const SINK: &str = "sink-0";
/// Small limits, so that each of them is reached.
pub const IN_FLIGHT_MAX: usize = 8;

/// A run.
pub struct Daemon {
    /// Decides and stores.
    pub executor: Executor<Store>,
    /// How its worker is reached.
    pub handle: RelayHandle,
    /// Writes checkpoints and deletes.
    pub maintenance: Maintenance,
    worker: Box<Subscription>,
    tasks: Receiver<Task<Store>>,
    decisions: Receiver<DecisionBatch>,
}

impl Daemon {
    /// Starts as the daemon does.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(around: &Environment) -> Result<Self, String> {
        let mut options = around.core_options();
        for sink in &mut options.sinks {
            sink.worker.sink_type = SinkType::Subscription;
            sink.limits.in_flight_max = IN_FLIGHT_MAX;
            sink.limits.window_events_max = 24;
            sink.limits.attempts_max = 3;
            sink.limits.parked_events_max = 8;
            sink.limits.rejected_in_a_row_max = 3;
            sink.limits.delivered_events_max = 5;
        }
        let core = Core::open(&mut SimHost::new(around), &options).map_err(|error| format!("start: {error}"))?;
        let relay = core.relays.into_iter().next().ok_or("there is no sink")?;
        let RelayWorker::Subscription(worker) = relay.worker else { return Err("no subscription".to_owned()) };
        let (executor, maintenance, tasks, decisions) = (core.executor, core.maintenance, core.tasks, core.decisions);
        Ok(Self { executor, handle: relay.handle, maintenance, worker, tasks, decisions })
    }

    /// One turn of the worker.
    ///
    /// # Errors
    /// It has ended.
    pub fn step(&mut self) -> Result<Step, String> {
        self.worker.step().map_err(|error| format!("the worker ended: {error}"))
    }

    /// The executor answers what the worker has asked, and makes durable what it has decided.
    ///
    /// # Errors
    /// It failed.
    pub fn take_decisions(&mut self) -> Result<(), String> {
        self.tasks.try_iter().for_each(|task| task(self.executor.store()));
        let decisions: Vec<DecisionBatch> = self.decisions.try_iter().collect();
        self.executor.run_with_decisions(&[], decisions).map(drop).map_err(|error| format!("decisions: {error}"))
    }

    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// The executor failed, or does not answer.
    pub fn ask(&mut self, request: Request) -> Result<Outcome, String> {
        let failed = |error| format!("commit: {error}");
        let mut answers = self.executor.run(&[envelope(request)]).map_err(failed)?;
        while self.executor.has_jobs() {
            answers.extend(self.executor.turn().map_err(failed)?);
        }
        answers.pop().map(|answer| answer.outcome).ok_or_else(|| "no answer".to_owned())
    }

    /// As [`Daemon::ask`], of an operator.
    ///
    /// # Errors
    /// As there.
    pub fn operate(&mut self, request: OperatorRequest) -> Result<Outcome, String> {
        self.ask(Request::Operate(Box::new(request)))
    }

    /// What is durably decided about the sink.
    ///
    /// # Errors
    /// Nothing is.
    pub fn record(&self) -> Result<&SinkRecord, String> {
        self.executor.store().sink(SINK).ok_or_else(|| "the sink is not recorded".to_owned())
    }
}

/// A request as it comes to the executor.
#[must_use]
pub const fn envelope(request: Request) -> Envelope {
    Envelope { connection: ConnectionId(1), ticket: Ticket(0), uid: 0, request }
}

/// The store as maintenance sees it, while nothing else happens.
pub struct DirectSource<'a>(pub &'a Store);

impl CheckpointSource for DirectSource<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        Ok(CheckpointBegin::of(self.0))
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        Ok(self.0.state().orders.rows(from, count).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        Ok(self.0.state().commands.copy(from, count))
    }

    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        Ok(self.0.state().delivery.lanes_after(after, count))
    }
}
