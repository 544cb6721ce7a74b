//! The executor's thread: takes commands from the channel, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use super::Executor;
use super::inspector::Finding;
use crate::contracts::{
    Answer, CommitError, DecisionBatch, Envelope, PlanStore, RequestClass, RequestReceiver, StatusModel, Taken,
};

/// Work that wants to see the store between two batches.
pub type Task<S> = Box<dyn FnOnce(&S) + Send>;

/// The channels that the loop joins.
pub struct CommandLoop<S> {
    /// What clients ask for; when all senders are gone the loop ends.
    pub requests: RequestReceiver,
    /// What the sinks' workers have decided.
    pub decisions: Receiver<DecisionBatch>,
    /// What others want of the store.
    pub tasks: Receiver<Task<S>>,
    /// Where answers go; whatever they say is durable.
    pub answers: Sender<Vec<Answer>>,
    /// Where the store shows itself.
    pub status: Arc<StatusModel>,
    /// Called when answers are in their channel.
    pub answers_ready: Box<dyn Fn() + Send>,
    /// Called when more is durable than before.
    pub more_is_durable: Box<dyn Fn() + Send>,
    /// Counts the turns, for the watchdog.
    pub heartbeat: Arc<AtomicU64>,
}

impl<S: PlanStore> CommandLoop<S> {
    /// An idle loop turns this often, to show that it lives and to look for room on a full disk.
    const IDLE_TURN: Duration = Duration::from_millis(250);
    /// The same while a job goes on that takes many batches: a worker that has enough to do is left a moment.
    const JOB_TURN: Duration = Duration::from_millis(1);
    /// Batches of decisions that are taken at once; each worker has at most one under way.
    const DECISION_BATCHES_MAX: usize = 64;

    /// Runs until no more commands can come, then closes the store and gives it back.
    ///
    /// A batch is what has arrived while the one before it was made durable: nobody waits for a timer, and a lone
    /// client pays for one sync and nothing else.
    ///
    /// # Errors
    /// It is unknown what is stored: the process must end, and the restart finds out.
    pub fn run(mut self, mut executor: Executor<S>) -> Result<S, CommitError> {
        let batch_commands_max = executor.options().batch_commands_max;
        let mut batch = Vec::with_capacity(batch_commands_max);
        let mut decisions = Vec::new();
        let mut findings = executor.findings();
        let mut finding = None;
        loop {
            self.heartbeat.fetch_add(1, Ordering::Relaxed);
            self.run_task(executor.store());
            batch.clear();
            let taken = self.requests.take(&mut batch, batch_commands_max);
            while decisions.len() < Self::DECISION_BATCHES_MAX {
                let Some(one) = take(&mut self.decisions) else { break };
                decisions.push(one);
            }
            finding = finding.or_else(|| take(&mut findings));
            if taken != Taken::Some && decisions.is_empty() && finding.is_none() {
                if taken == Taken::Finished {
                    break;
                }
                let turn = if executor.has_jobs() { Self::JOB_TURN } else { Self::IDLE_TURN };
                match self.wait(&findings, turn) {
                    WokenBy::Request(class, envelope) => self.requests.hold(class, envelope),
                    WokenBy::Decisions(one) => decisions.push(one),
                    WokenBy::Finding(one) => finding = Some(one),
                    WokenBy::Task(task) => task(executor.store()),
                    WokenBy::End => {}
                    WokenBy::Time => {
                        executor.store_mut().make_room()?;
                        executor.store_mut().mark_idle()?;
                        self.status.publish(executor.store().status());
                    }
                }
                if !executor.has_jobs() {
                    continue;
                }
            }
            let before = executor.store().durable_lsn();
            let began = Instant::now();
            let mut answers = executor.run_with_decisions(&batch, std::mem::take(&mut decisions))?;
            if !batch.is_empty() {
                self.status.metrics().commit_duration.record_duration(began.elapsed());
                self.status.metrics().batch_commands.record(batch.len() as u64);
            }
            if let Some(finding) = finding.take() {
                answers.extend(executor.conclude(finding)?);
            }
            answers.extend(executor.turn()?);
            self.status.publish(executor.store().status());
            if !answers.is_empty() {
                if self.answers.send(answers).is_err() {
                    break;
                }
                (self.answers_ready)();
            }
            if executor.store().durable_lsn() > before {
                (self.more_is_durable)();
            }
        }
        // What workers have decided on their way to the end.
        executor.run_with_decisions(&[], self.decisions.try_iter().collect())?;
        close(&mut executor)?;
        Ok(executor.into_store())
    }

    /// Does one thing that others want of the store, if there is one.
    fn run_task(&mut self, store: &S) {
        if let Some(task) = take(&mut self.tasks) {
            task(store);
        }
    }

    /// Waits until there is something to do, or for one turn. What ends the wait is taken with it: only to look whether
    /// something is there, a select would first yield the processor some times to those that the executor waits for.
    fn wait(&self, findings: &Receiver<Finding>, turn: Duration) -> WokenBy<S> {
        let [express, bulk] = self.requests.channels();
        select! {
            recv(express) -> one => one.map_or(WokenBy::End, |one| WokenBy::Request(RequestClass::Express, one)),
            recv(bulk) -> one => one.map_or(WokenBy::End, |one| WokenBy::Request(RequestClass::Bulk, one)),
            recv(self.decisions) -> one => one.map_or(WokenBy::End, WokenBy::Decisions),
            recv(findings) -> one => one.map_or(WokenBy::End, WokenBy::Finding),
            recv(self.tasks) -> one => one.map_or(WokenBy::End, WokenBy::Task),
            default(turn) => WokenBy::Time,
        }
    }
}

/// What has ended the wait.
enum WokenBy<S> {
    Request(RequestClass, Envelope),
    Decisions(DecisionBatch),
    Finding(Finding),
    Task(Task<S>),
    /// The other end of a channel is gone; the next look at it finds that out.
    End,
    Time,
}

/// What is in the channel, if anything. One whose other end is gone would be ready for ever; from now on it never is.
fn take<T>(channel: &mut Receiver<T>) -> Option<T> {
    match channel.try_recv() {
        Ok(one) => Some(one),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => {
            *channel = never();
            None
        }
    }
}

fn close<S: PlanStore>(executor: &mut Executor<S>) -> Result<(), CommitError> {
    match executor.store_mut().close() {
        Ok(()) => Ok(()),
        // A full disk is a state, and all plans are durable: the next start finds a journal without a seal.
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            tracing::warn!(%error, "the journal could not be sealed; nothing is missing from it");
            Ok(())
        }
        // A write or a sync failed: that is never passed over, also where nobody waits for an answer.
        Err(source) => Err(CommitError::Failed { operation: "sealing of the journal", source }),
    }
}
