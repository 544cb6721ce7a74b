//! The executor's dealings with operators: rulings made durable like commands, and what takes longer than a batch.

use crossbeam_channel::Receiver;

use super::Executor;
use super::inspector::{Caller, Finding, Found, Inquiry, InspectorHandle};
use super::operate::{Action, Context, FollowUp, Operations, decide, start_replay};
use super::stored::Stored;
use crate::contracts::{
    Answer, CommitError, Committed, OperatorRefusal, OperatorRequest, OperatorResult, Outcome, PlanStore, Refusal, Room,
};

/// Requests that touch many lanes and are under way at once; more are refused as `overloaded`.
const JOBS_MAX: usize = 16;

impl<S: PlanStore> Executor<S> {
    /// Answers operators from now on.
    pub fn operate_with(&mut self, operations: Operations) {
        self.operator_work.operations = Some(operations);
    }

    /// Leaves long reads to an inspector. Without one the executor itself reads, as a simulation without threads wants
    /// it.
    pub fn inspect_with(&mut self, inspector: InspectorHandle) {
        self.operator_work.inspector = Some(inspector);
    }

    /// What the inspector has found; never ready if there is no inspector.
    #[must_use]
    pub fn findings(&self) -> Receiver<Finding> {
        self.operator_work.inspector.as_ref().map_or_else(crossbeam_channel::never, |handle| handle.findings().clone())
    }

    /// Whether there is something that only [`Executor::turn`] brings forward.
    #[must_use]
    pub fn has_jobs(&self) -> bool {
        !self.operator_work.jobs.is_empty()
    }

    /// Brings what takes longer than a batch one step forward; at most one answer comes of it.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn turn(&mut self) -> Result<Option<Answer>, CommitError> {
        let Some(mut job) = self.operator_work.jobs.pop_front() else { return Ok(None) };
        let context = self.context(job.connection, 0);
        let decisions = context.as_ref().map(|context| job.next_batch(context)).unwrap_or_default();
        let stored = self.commit_decisions(None, decisions)?;
        let outcome = match stored.refusal() {
            None if !job.is_done() => {
                self.operator_work.jobs.push_back(job);
                return Ok(None);
            }
            None => Outcome::Operated(Box::new(job.result())),
            // What was requeued stays so; the request can be repeated.
            Some(refusal) => Outcome::Refused(refusal),
        };
        Ok(Some(Answer { connection: job.connection, ticket: job.ticket, outcome }))
    }

    /// Decides on what the inspector has found.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn conclude(&mut self, finding: Finding) -> Result<Option<Answer>, CommitError> {
        let Caller { connection, ticket, .. } = finding.caller;
        let outcome = match finding.found {
            Ok(Found::Answer(result)) => Some(Outcome::Operated(Box::new(result))),
            Ok(Found::Replay { request, range }) => {
                let replay_id = self.new_id();
                let action = self
                    .context(connection, finding.caller.uid)
                    .and_then(|context| start_replay(&context, &request, &range, replay_id));
                let room = self.store.make_room()?;
                self.carry_out(finding.caller, action, room)?
            }
            Err(refusal) => Some(Outcome::Refused(refusal)),
        };
        let outcome = self.commit()?.refusal().map(Outcome::Refused).or(outcome);
        Ok(outcome.map(|outcome| Answer { connection, ticket, outcome }))
    }

    /// Decides one request of an operator, and stages what was decided; `None` if the answer comes later. Nothing else
    /// may be staged: what the store and its history show is durable.
    pub(super) fn operate(
        &mut self,
        caller: Caller,
        request: &OperatorRequest,
        room: Room,
    ) -> Result<Option<Outcome>, CommitError> {
        let action = self.context(caller.connection, caller.uid).and_then(|context| decide(&context, request));
        self.carry_out(caller, action, room)
    }

    fn carry_out(
        &mut self,
        caller: Caller,
        action: Result<Action, Refusal>,
        room: Room,
    ) -> Result<Option<Outcome>, CommitError> {
        match action {
            Ok(Action::Decide { decisions, result, follow_up }) => {
                if !decisions.is_empty() {
                    if room == Room::None {
                        return Ok(Some(Outcome::Refused(Refusal::StorageFull)));
                    }
                    match self.store.stage_decisions(None, decisions) {
                        Ok(_) => {}
                        Err(error) => {
                            let refusal = Stored::of(Err(error))?.refusal();
                            return Ok(refusal.map(Outcome::Refused));
                        }
                    }
                }
                self.operator_work.follow_ups.extend(follow_up);
                Ok(Some(Outcome::Operated(Box::new(result))))
            }
            Ok(Action::Read(query)) => {
                let inquiry = Inquiry { caller, query, history: self.store.history() };
                match &self.operator_work.inspector {
                    Some(inspector) => Ok(inspector.ask(inquiry).err().map(Outcome::Refused)),
                    None => Ok(self.conclude(inquiry.answer())?.map(|answer| answer.outcome)),
                }
            }
            Ok(Action::Retry(sink)) => Ok(Some(match self.store.retry(&sink) {
                Ok(()) => Outcome::Operated(Box::new(OperatorResult::Done {})),
                Err(away) => Outcome::Refused(Refusal::StoreUnavailable(away)),
            })),
            Ok(Action::Requeue(_)) if self.operator_work.jobs.len() >= JOBS_MAX => {
                Ok(Some(Outcome::Refused(Refusal::Overloaded)))
            }
            Ok(Action::Requeue(mut job)) => {
                job.ticket = caller.ticket;
                self.operator_work.jobs.push_back(job);
                Ok(None)
            }
            Err(refusal) => Ok(Some(Outcome::Refused(refusal))),
        }
    }

    /// Stages decisions and makes them durable.
    fn commit_decisions(
        &mut self,
        ticket: Option<u64>,
        decisions: Vec<crate::contracts::Decision>,
    ) -> Result<Stored, CommitError> {
        if decisions.is_empty() {
            return Ok(Stored::Durable(Committed::AS_STAGED));
        }
        if self.store.make_room()? == Room::None {
            return Ok(Stored::NoRoom);
        }
        match self.store.stage_decisions(ticket, decisions) {
            Ok(_) => self.commit(),
            Err(error) => Stored::of(Err(error)),
        }
    }

    /// Makes what is staged durable, and does what was waiting for it.
    pub(super) fn commit(&mut self) -> Result<Stored, CommitError> {
        let stored = Stored::of(self.store.commit())?;
        if stored.refusal().is_some() {
            self.operator_work.follow_ups.clear();
            return Ok(stored);
        }
        for follow_up in std::mem::take(&mut self.operator_work.follow_ups) {
            match (follow_up, &self.operator_work.operations) {
                (FollowUp::Forget(sink), Some(operations)) => (operations.on_forgotten)(&sink),
                (FollowUp::Forget(_), None) => {}
            }
        }
        Ok(stored)
    }

    fn context(&self, connection: crate::contracts::ConnectionId, uid: u32) -> Result<Context<'_>, Refusal> {
        let not_here = || OperatorRefusal::Invalid("delivery cannot be operated here".to_owned());
        let operations = self.operator_work.operations.as_ref().ok_or_else(not_here)?;
        Ok(Context { store: &self.store, operations, connection, uid, now: self.clock.now() })
    }
}
