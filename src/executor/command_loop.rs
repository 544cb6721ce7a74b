//! The executor's thread: takes commands from the channel, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::Executor;
use crate::contracts::{Answer, CommitError, DecisionBatch, Envelope, PlanStore};

/// Work that wants to see the store between two batches.
pub type Task<S> = Box<dyn FnOnce(&S) + Send>;

/// The channels that the loop joins.
pub struct CommandLoop<S> {
    /// What clients ask for; when all senders are gone the loop ends.
    pub requests: Receiver<Envelope>,
    /// What the sinks' workers have decided.
    pub decisions: Receiver<DecisionBatch>,
    /// What others want of the store.
    pub tasks: Receiver<Task<S>>,
    /// Where answers go; whatever they say is durable.
    pub answers: Sender<Vec<Answer>>,
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
            batch.clear();
            let mut decisions = Vec::new();
            select! {
                recv(self.requests) -> first => match first {
                    Ok(first) => batch.push(first),
                    Err(_) => break,
                },
                recv(self.tasks) -> task => match task {
                    Ok(task) => task(executor.store()),
                    // Nobody will ask any more; a channel without senders would be ready for ever.
                    Err(_) => self.tasks = never(),
                },
                recv(self.decisions) -> decided => match decided {
                    Ok(decided) => decisions.push(decided),
                    Err(_) => self.decisions = never(),
                },
                default(Self::IDLE_TURN) => {
                    executor.store_mut().make_room()?;
                }
            }
            decisions.extend(self.decisions.try_iter().take(Self::DECISION_BATCHES_MAX));
            if batch.is_empty() && decisions.is_empty() {
                continue;
            }
            batch.extend(self.requests.try_iter().take(batch_commands_max.saturating_sub(1)));
            let before = executor.store().durable_lsn();
            let answers = executor.run_with_decisions(&batch, decisions)?;
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
}
