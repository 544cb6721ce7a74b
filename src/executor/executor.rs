//! Decides commands one by one, and stages their plans.

use std::sync::Arc;

use uuid::Uuid;

use super::inspector::Caller;
use super::operator_work::OperatorWork;
use crate::contracts::{
    Answer, ChangeRequest, Clock, Command, CommitError, Envelope, OrderIds, Outcome, Plan, PlanStore, ProcessedCommand,
    Refusal, Request, Room,
};
use crate::domain::{CancelReason, Cents, CustomerId, OrderId};
use crate::usecases::{cancel_order, complete_order, place_order};

/// The executor's limits.
#[derive(Debug, Clone, Copy)]
pub struct ExecutorOptions {
    /// The most commands that are made durable with one sync.
    pub batch_commands_max: usize,
    /// The most bytes that are made durable with one sync, but for the last plan's.
    pub batch_bytes_max: usize,
    /// The most orders that there may be.
    pub orders_max: u64,
    /// How often a batch that lost a race is decided again before its commands are tried one by one, and then each of
    /// them.
    pub conflict_retries_max: u32,
}

/// This many commands ahead their orders are fetched: few enough that they are still in the cache when their turn comes.
const PREFETCH: usize = 64;

/// Decides and commits. It has no thread of its own, so that a simulation can drive it.
pub struct Executor<S> {
    pub(super) store: S,
    pub(super) clock: Arc<dyn Clock>,
    order_ids: Box<dyn OrderIds>,
    pub(super) options: ExecutorOptions,
    pub(super) operator_work: OperatorWork,
}

impl<S: PlanStore> Executor<S> {
    /// An executor over `store`.
    pub fn new(store: S, clock: Arc<dyn Clock>, order_ids: Box<dyn OrderIds>, options: ExecutorOptions) -> Self {
        Self { store, clock, order_ids, options, operator_work: OperatorWork::default() }
    }

    /// Its limits.
    pub const fn options(&self) -> &ExecutorOptions {
        &self.options
    }

    /// The store; between two batches everything in it is durable.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, to be closed.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The store alone, when nothing more is to be run.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Decides until a batch is full; gives how many were decided. An operator's request is a batch of its own: it is
    /// decided on what is durable.
    pub(super) fn decide_batch(
        &mut self,
        requests: &[Envelope],
        room: Room,
        answers: &mut Vec<Answer>,
    ) -> Result<usize, CommitError> {
        let mut order_ids = Vec::with_capacity(PREFETCH);
        for (index, envelope) in requests.iter().enumerate() {
            if index >= self.options.batch_commands_max || self.store.staged_bytes() >= self.options.batch_bytes_max {
                return Ok(index);
            }
            self.prefetch(index, requests, &mut order_ids);
            let Envelope { connection, ticket, uid, .. } = *envelope;
            let outcome = match &envelope.request {
                Request::Operate(request) => {
                    if self.store.staged_bytes() > 0 {
                        return Ok(index);
                    }
                    let outcome = self.operate(Caller { connection, ticket, uid }, request, room)?;
                    answers.extend(outcome.map(|outcome| Answer { connection, ticket, outcome }));
                    return Ok(index.saturating_add(1));
                }
                Request::Change(change) => self.change(change, room == Room::ForAll)?,
                Request::Get { order_id } => self.show(*order_id),
            };
            answers.push(Answer { connection, ticket, outcome });
        }
        Ok(requests.len())
    }

    /// Fetches the orders of the next requests together.
    fn prefetch(&self, index: usize, requests: &[Envelope], order_ids: &mut Vec<OrderId>) {
        if index.is_multiple_of(PREFETCH) {
            let next = requests.iter().skip(index).take(PREFETCH);
            order_ids.clear();
            order_ids.extend(next.filter_map(|envelope| envelope.request.order_id()));
            self.store.prefetch(order_ids);
        }
    }

    /// An id that was never given out before.
    pub(super) fn new_id(&mut self) -> Uuid {
        self.order_ids.next(self.clock.now()).uuid()
    }

    fn change(&mut self, change: &ChangeRequest, has_room: bool) -> Result<Outcome, CommitError> {
        if let Err(problem) = self.store.check(change) {
            return Ok(Outcome::Refused(Refusal::NotStorable(problem)));
        }
        let processed =
            change.command_id.map(|command_id| ProcessedCommand { command_id, fingerprint: change.fingerprint() });
        if let Some(ProcessedCommand { command_id, fingerprint }) = processed {
            match self.store.remembered(command_id) {
                Ok(None) => {}
                Ok(Some(first)) if first.fingerprint != fingerprint => {
                    return Ok(Outcome::Refused(Refusal::CommandIdConflict(command_id)));
                }
                Ok(Some(first)) => {
                    return Ok(Outcome::Changed { order: first.order, lsn: first.lsn, duplicate: true });
                }
                Err(unavailable) => return Ok(Outcome::Refused(unavailable.into())),
            }
        }
        let planned = match &change.command {
            Command::Place { order_id, customer_id, total_amount } => {
                self.place(*order_id, *customer_id, *total_amount)
            }
            Command::Complete { order_id } => self.complete(*order_id),
            Command::Cancel { order_id, reason } => self.cancel(*order_id, reason.clone()),
        };
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        if !has_room {
            return Ok(Outcome::Refused(Refusal::StorageFull));
        }
        if let Some(processed) = processed {
            plan.remember(processed);
        }
        plan.attach(change.context.as_deref());
        let staged = self.store.stage(&plan)?;
        let Some(order) = staged.order else {
            let source = std::io::Error::other("a command's plan changes no order");
            return Err(CommitError::Failed { operation: "check of a plan", source });
        };
        Ok(Outcome::Changed { order, lsn: staged.lsn, duplicate: false })
    }

    pub(super) fn show(&self, order_id: OrderId) -> Outcome {
        match self.store.retrieve(order_id) {
            Ok(order) => Outcome::Found(*order.state()),
            Err(error) => Outcome::Refused(error.into()),
        }
    }

    fn place(
        &mut self,
        order_id: Option<OrderId>,
        customer_id: CustomerId,
        total_amount: Cents,
    ) -> Result<Plan, Refusal> {
        let now = self.clock.now();
        let order_id = order_id.unwrap_or_else(|| {
            let order_id = self.order_ids.next(now);
            self.store.note_new(order_id);
            order_id
        });
        let request = place_order::Request { order_id, customer_id, total_amount, now };
        let plan = place_order::Interactor::new(&self.store).execute(&request)?;
        if self.store.orders_count() >= self.options.orders_max {
            return Err(Refusal::TooManyOrders(self.options.orders_max));
        }
        Ok(plan)
    }

    fn complete(&self, order_id: OrderId) -> Result<Plan, Refusal> {
        let request = complete_order::Request { order_id, now: self.clock.now() };
        Ok(complete_order::Interactor::new(&self.store).execute(&request)?)
    }

    fn cancel(&self, order_id: OrderId, reason: Option<CancelReason>) -> Result<Plan, Refusal> {
        let request = cancel_order::Request { order_id, reason, now: self.clock.now() };
        Ok(cancel_order::Interactor::new(&self.store).execute(request)?)
    }
}

impl From<place_order::Error> for Refusal {
    fn from(error: place_order::Error) -> Self {
        match error {
            place_order::Error::OrderExists(order_id) => Self::OrderExists(order_id),
            place_order::Error::Unavailable(error) => Self::StoreUnavailable(error),
        }
    }
}

impl From<complete_order::Error> for Refusal {
    fn from(error: complete_order::Error) -> Self {
        match error {
            complete_order::Error::Retrieve(error) => error.into(),
            complete_order::Error::Transition(error) => Self::InvalidTransition(error),
        }
    }
}

impl From<cancel_order::Error> for Refusal {
    fn from(error: cancel_order::Error) -> Self {
        match error {
            cancel_order::Error::Retrieve(error) => error.into(),
            cancel_order::Error::Transition(error) => Self::InvalidTransition(error),
        }
    }
}
