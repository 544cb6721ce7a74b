//! One crash state: recovered twice, compared with what was certain, and worked on.

use std::sync::Arc;

use orderd::contracts::{Clock, Command, ConnectionId, Envelope, Request, Ticket};
use orderd::domain::{Cents, CommandId, CustomerId, OrderId};
use uuid::Uuid;

use super::expectations::{Expectations, Moment, Standing, open};
use super::script_runner::Record;
use crate::clock::{CountedIds, SimClock};
use crate::daemon::{Daemon, StartError};
use crate::disk::{Recorded, SimDisk, Tree};
use crate::environment::Environment;
use crate::model::{Model, Verdict};
use crate::oracle::{Found, audit, judge, judge_cursors, judge_sinks, judge_stop};
use crate::sink::look;

/// Other than those of the scripts: a segment of this run never has the epoch of one of theirs.
const RUN_SEED: u64 = 0x5EED;
/// Ids that no script gets to.
const IDS_FROM: u64 = 1 << 40;
/// When nothing is in the way, room is found again within this many tries.
const TRIES: u64 = 20;

/// What came of a recovery.
pub struct Recovery {
    around: Environment,
    daemon: Daemon,
    /// The disk before each call of the recovery that changed it, and what was certain then.
    pub calls: Vec<Recorded>,
    /// Calls name one of these.
    pub moments: Vec<Arc<Moment>>,
}

/// Whether the calls of a recovery are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They are.
    Calls,
    /// They are not.
    Nothing,
}

/// Everything around a daemon on this disk, with the consumers of `standing`.
pub fn fork(record: &Record, standing: &Standing, tree: Tree) -> Environment {
    Environment {
        disk: SimDisk::with_tree(tree, 1),
        clock: SimClock::default(),
        ids: CountedIds::starting_at(IDS_FROM),
        options: record.options.clone(),
        sinks: standing.sinks.clone(),
        data_dir: String::new(),
        bug: record.bug,
        run_seed: RUN_SEED,
    }
}

/// Starts the daemon on this disk.
///
/// # Errors
/// It does not start.
pub fn recover(record: &Record, standing: &Standing, tree: Tree, depth: u64, keep: Keep) -> Result<Recovery, String> {
    let known = standing.copy();
    let mut around = fork(record, &known, tree);
    around.run_seed = RUN_SEED + depth;
    around.disk.set_capacity(known.capacity);
    let ledger = (keep == Keep::Calls).then(|| Expectations::shared(known));
    if let Some(ledger) = &ledger {
        let ledger = Arc::clone(ledger);
        around.disk.start_recording(move || open(&ledger).witness());
    }
    let started = match Daemon::start(&around) {
        // No room for the cursor of a new sink: somebody has to make some.
        Err(StartError::Io(error)) if standing.capacity.is_some() && error.contains("cursor") => {
            around.disk.set_capacity(None);
            around.disk.end_process();
            Daemon::start(&around)
        }
        started => started,
    };
    let calls = around.disk.take_recording();
    let moments = ledger.map(|ledger| open(&ledger).take_moments()).unwrap_or_default();
    let daemon = started.map_err(|error| format!("it does not start: {error:?}"))?;
    Ok(Recovery { around, daemon, calls, moments })
}

impl Recovery {
    /// Compares what was found with what must be there, and gives the history as it now is.
    ///
    /// # Errors
    /// A promise is broken.
    pub fn judge(&self, standing: &Standing) -> Result<Model, String> {
        let mut model = Model::clone(&standing.model);
        judge(&mut model, &self.daemon, &standing.unanswered)?;
        judge_sinks(&model, &self.around.sinks)?;
        judge_cursors(&self.daemon, &self.around.sinks, &self.around.options)?;
        if standing.stopped {
            judge_stop(&self.daemon, &self.around.sinks)?;
        }
        self.daemon.begin_run(&self.around.sinks);
        Ok(model)
    }

    /// What the start came to.
    pub fn found(&self) -> Found {
        Found::by(&self.daemon, &self.around.disk)
    }

    /// Sends what was not answered once more, and a new order; has all events delivered; and reads everything. Gives
    /// how many commands were answered.
    ///
    /// # Errors
    /// A promise is broken.
    pub fn work_on(mut self, mut model: Model, standing: &Standing) -> Result<u64, String> {
        let again = standing.unanswered.iter().rev().find(|unanswered| unanswered.request.command_id().is_some());
        let again_and_new = again.map(|unanswered| unanswered.request.clone()).into_iter().chain([new_order()]);
        let requests: Vec<_> = again_and_new
            .map(|request| Envelope { connection: ConnectionId(1), ticket: Ticket::default(), uid: 0, request })
            .collect();
        let mut answered = 0;
        let mut tries = 0;
        while self.run(&requests, &mut model, &mut answered)? {
            tries += 1;
            if standing.capacity.is_none() {
                return Err("a command was refused for want of room, and there is room".to_owned());
            }
            if tries > TRIES {
                return Err("STUCK: there is room, and it is not found".to_owned());
            }
            self.around.disk.set_capacity(None);
            self.around.clock.pass(60_000_000);
        }
        self.daemon.drain(&self.around.clock)?;
        judge_sinks(&model, &self.around.sinks)?;
        for sink in &self.around.sinks {
            let (last, plans) = (look(&sink.consumer).last(), model.plans.len() as u64);
            if last != plans {
                return Err(format!("LOST: sink {} saw events up to {last} of {plans}", sink.name));
            }
        }
        audit(&model, &self.daemon)?;
        Ok(answered)
    }

    /// Whether something was refused for want of room.
    fn run(&mut self, requests: &[Envelope], model: &mut Model, answered: &mut u64) -> Result<bool, String> {
        let at = self.around.clock.now();
        let answers = self.daemon.executor.run(requests).map_err(|error| format!("a batch failed: {error}"))?;
        if answers.len() != requests.len() {
            return Err(format!("{} answers to {} commands", answers.len(), requests.len()));
        }
        let mut full = false;
        for (sent, answer) in requests.iter().zip(&answers) {
            full |= model.check_answer(&sent.request, at, answer)? == Verdict::Full;
            *answered += 1;
        }
        Ok(full)
    }
}

fn new_order() -> Request {
    let order_id = Some(OrderId::new(Uuid::from_u128(0x0E)));
    let customer_id = CustomerId::new(Uuid::from_u128(1));
    let command = Command::Place { order_id, customer_id, total_amount: Cents::new(1).unwrap_or(Cents::MAX) };
    Request::change(command, Some(CommandId::new(Uuid::from_u128(0x0C))))
}
