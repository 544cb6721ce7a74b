//! The executor's thread: takes commands from the channel, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, never};

use super::Executor;
use crate::contracts::{Answer, CommitError, DecisionBatch, PlanStore, RequestReceiver, StatusModel, Taken};

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
    /// Batches of decisions that are taken at once; each worker has at most one under way.
    const DECISION_BATCHES_MAX: usize = 64;

    /// Runs until no more commands can come, then closes the store.
    ///
    /// A batch is what has arrived while the one before it was made durable: nobody waits for a timer, and a lone
    /// client pays for one sync and nothing else.
    ///
    /// # Errors
    /// It is unknown what is stored: the process must end, and the restart finds out.
    pub fn run(mut self, mut executor: Executor<S>) -> Result<(), CommitError> {
        let batch_commands_max = executor.options().batch_commands_max;
        let mut batch = Vec::with_capacity(batch_commands_max);
        loop {
            self.heartbeat.fetch_add(1, Ordering::Relaxed);
            self.run_task(executor.store());
            batch.clear();
            let taken = self.requests.take(&mut batch, batch_commands_max);
            let decisions = self.take_decisions();
            match taken {
                Taken::Some => {}
                Taken::Nothing | Taken::Finished if !decisions.is_empty() => {}
                Taken::Nothing => {
                    if self.wait() == Woken::ByTime {
                        executor.store_mut().make_room()?;
                        executor.store_mut().mark_idle()?;
                        self.status.publish(executor.store().status());
                    }
                    continue;
                }
                Taken::Finished => break,
            }
            let before = executor.store().durable_lsn();
            let answers = executor.run_with_decisions(&batch, decisions)?;
            self.status.publish(executor.store().status());
            if self.answers.send(answers).is_err() {
                break;
            }
            (self.answers_ready)();
            if executor.store().durable_lsn() > before {
                (self.more_is_durable)();
            }
        }
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

    fn take_decisions(&mut self) -> Vec<DecisionBatch> {
        let mut decisions = Vec::new();
        while decisions.len() < Self::DECISION_BATCHES_MAX {
            match self.decisions.try_recv() {
                Ok(batch) => decisions.push(batch),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.decisions = never();
                    break;
                }
            }
        }
        decisions
    }

    /// Does one thing that others want of the store, if there is one.
    fn run_task(&mut self, store: &S) {
        match self.tasks.try_recv() {
            Ok(task) => task(store),
            Err(TryRecvError::Empty) => {}
            // A channel whose other end is gone is always ready; from now on it never is.
            Err(TryRecvError::Disconnected) => self.tasks = never(),
        }
    }

    /// Waits until there is something to do, or for one turn of an idle loop.
    fn wait(&self) -> Woken {
        let mut select = Select::new();
        for channel in self.requests.channels() {
            select.recv(channel);
        }
        select.recv(&self.decisions);
        select.recv(&self.tasks);
        match select.ready_timeout(Self::IDLE_TURN) {
            Ok(_) => Woken::BySomebody,
            Err(_) => Woken::ByTime,
        }
    }
}

/// Why the loop has woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    BySomebody,
    ByTime,
}
