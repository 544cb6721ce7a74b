//! Runs a batch of commands: decide, store their plans together, answer. What lost a race is decided again.

use super::Executor;
use super::stored::Stored;
use crate::contracts::{
    Answer, CommitError, Committed, DecisionBatch, Envelope, Outcome, PlanStore, Refusal, Request, Room,
    StoreUnavailable,
};

impl<S: PlanStore> Executor<S> {
    /// Runs `requests` in their order and gives their answers in the same order; what takes longer is answered by
    /// [`Executor::turn`] or [`Executor::conclude`].
    ///
    /// Everything an answer says is durable: results, and also refusals, duplicates and reads, which may rest on a plan
    /// of the same batch. So no answer leaves before the batch is committed.
    ///
    /// # Errors
    /// It is unknown what is stored. No answer of this batch may leave, and the process must end.
    pub fn run(&mut self, requests: &[Envelope]) -> Result<Vec<Answer>, CommitError> {
        self.run_with_decisions(requests, Vec::new())
    }

    /// As [`Executor::run`], with what the sinks' workers have decided, which goes first and shares the sync. What became
    /// of a decision its worker hears from the store.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn run_with_decisions(
        &mut self,
        requests: &[Envelope],
        decisions: Vec<DecisionBatch>,
    ) -> Result<Vec<Answer>, CommitError> {
        let mut answers = Vec::with_capacity(requests.len());
        let (mut rest, mut decisions, mut races) = (requests, decisions, Races::default());
        while !rest.is_empty() || !decisions.is_empty() {
            let together = if races.one_by_one > 0 { 1 } else { self.options.batch_commands_max };
            let (wanted, _) = rest.split_at_checked(together).unwrap_or((rest, &[]));
            let done = self.run_batch(wanted, std::mem::take(&mut decisions), &mut races, &mut answers)?;
            rest = rest.get(done..).unwrap_or_default();
        }
        Ok(answers)
    }

    /// Runs the first of these requests, as many as fit together; gives how many were answered.
    fn run_batch(
        &mut self,
        requests: &[Envelope],
        decisions: Vec<DecisionBatch>,
        races: &mut Races,
        answers: &mut Vec<Answer>,
    ) -> Result<usize, CommitError> {
        let room = self.store.make_room()?;
        if let Err(unavailable) = self.store.load(requests) {
            refuse_all(requests, &unavailable.into(), answers);
            self.refuse_decisions(decisions);
            return Ok(requests.len());
        }
        self.stage_decisions(decisions)?;
        let before = answers.len();
        let decided = self.decide_batch(requests, room, answers)?;
        let batch = requests.get(..decided).unwrap_or(requests);
        match self.commit()? {
            Stored::Durable(committed) => {
                settle(answers, before, committed);
                races.won(decided);
            }
            Stored::NoRoom => {
                // The store is back where it was before the batch; so are the answers, decided again on what is
                // durable. What would need room is now refused.
                answers.truncate(before);
                self.decide_batch(batch, Room::None, answers)?;
            }
            Stored::Conflict => {
                answers.truncate(before);
                if races.lost(decided, self.options.conflict_retries_max) == Next::GiveUp {
                    refuse_all(batch, &Refusal::Overloaded, answers);
                    return Ok(decided);
                }
                return Ok(0);
            }
            Stored::Unavailable => {
                answers.truncate(before);
                refuse_all(batch, &StoreUnavailable.into(), answers);
            }
            Stored::Unknown => {
                let doubtful = answers.split_off(before);
                let reachable = self.store.load(batch).is_ok();
                answers.extend(self.resolve(batch, doubtful, reachable));
            }
        }
        Ok(decided)
    }

    fn stage_decisions(&mut self, batches: Vec<DecisionBatch>) -> Result<(), CommitError> {
        for DecisionBatch { ticket, decisions } in batches {
            match self.store.stage_decisions(Some(ticket), decisions) {
                Err(error @ CommitError::Failed { .. }) => return Err(error),
                // The worker has been told, and tries again later.
                Ok(_)
                | Err(
                    CommitError::Full(_)
                    | CommitError::Conflict { .. }
                    | CommitError::Unavailable(_)
                    | CommitError::Unknown(_),
                ) => {}
            }
        }
        Ok(())
    }

    /// Tells workers that nothing of these is stored, and that they are to try again later.
    fn refuse_decisions(&self, batches: Vec<DecisionBatch>) {
        for DecisionBatch { ticket, decisions } in batches {
            let sink = decisions.first().map(|decision| &decision.sink);
            if let Some(inbox) = sink.and_then(|sink| self.store.inbox(sink)) {
                inbox.put([crate::contracts::DecisionNews::Full { ticket }]);
            }
        }
    }

    /// What can be said after a commit without an answer: a command that is remembered was carried out.
    fn resolve(&self, batch: &[Envelope], doubtful: Vec<Answer>, reachable: bool) -> Vec<Answer> {
        let resolved = batch.iter().zip(doubtful).map(|(envelope, answer)| {
            let outcome = match &envelope.request {
                Request::Get { order_id } => self.show(*order_id),
                Request::Change(change) => {
                    let first = change.command_id.filter(|_| reachable);
                    let first = first.and_then(|command_id| self.store.remembered(command_id).ok().flatten());
                    match (first, answer.outcome) {
                        (Some(first), Outcome::Changed { duplicate, .. })
                            if first.fingerprint == change.fingerprint() =>
                        {
                            Outcome::Changed { order: first.order, lsn: first.lsn, duplicate }
                        }
                        _ => Outcome::Refused(Refusal::OutcomeUnknown),
                    }
                }
                Request::Operate(_) => Outcome::Refused(Refusal::OutcomeUnknown),
            };
            Answer { outcome, ..answer }
        });
        resolved.collect()
    }
}

/// The races that the commands at hand have lost.
#[derive(Debug, Default)]
struct Races {
    lost: u32,
    /// This many commands are tried one by one.
    one_by_one: usize,
}

/// What to do after a lost race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    DecideAgain,
    GiveUp,
}

impl Races {
    fn won(&mut self, commands: usize) {
        self.lost = 0;
        self.one_by_one = self.one_by_one.saturating_sub(commands);
    }

    /// Each lost race is somebody else's progress, so a command that goes on alone gets its turn; the end is for a
    /// database in which something else is wrong.
    fn lost(&mut self, commands: usize, retries_max: u32) -> Next {
        self.lost = self.lost.saturating_add(1);
        if self.lost <= retries_max {
            return Next::DecideAgain;
        }
        self.lost = 0;
        if self.one_by_one > 0 {
            self.one_by_one = self.one_by_one.saturating_sub(1);
            return Next::GiveUp;
        }
        self.one_by_one = commands;
        if commands == 0 { Next::GiveUp } else { Next::DecideAgain }
    }
}

fn refuse_all(requests: &[Envelope], refusal: &Refusal, answers: &mut Vec<Answer>) {
    answers.extend(requests.iter().map(|Envelope { connection, ticket, .. }| Answer {
        connection: *connection,
        ticket: *ticket,
        outcome: Outcome::Refused(refusal.clone()),
    }));
}

/// Gives the answers the places that their plans got.
fn settle(answers: &mut [Answer], before: usize, committed: Committed) {
    if committed == Committed::AS_STAGED {
        return;
    }
    for answer in answers.iter_mut().skip(before) {
        if let Outcome::Changed { lsn, .. } = &mut answer.outcome {
            *lsn = committed.settle(*lsn);
        }
    }
}
