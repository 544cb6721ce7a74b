//! The store of plans over PostgreSQL: a batch is one transaction.

use std::io;
use std::sync::Arc;

use super::batch::{SeenOrder, StoredCommand};
use super::command_row::remembered_command;
use super::decisions::StagedDecision;
use super::error::unfit;
use super::order_row;
use super::order_row::unsigned;
use super::store::PostgresStore;
use crate::contracts::{
    ChangeRequest, Command, CommitError, Committed, Decision, DecisionInbox, DecisionNews, Envelope, EventHistory,
    JournalStatus, Lsn, Mutation, OrderNotFound, OrderRepository, Plan, PlanStore, RememberedCommand, RetrieveError,
    Room, Sequence, SinkRecord, Staged, StoreCondition, StoreStatus, StoreUnavailable,
};
use crate::domain::{CommandId, Order, OrderId, OrderState};
use crate::repo::{outbox_muts, update_mut};

impl OrderRepository for PostgresStore {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError> {
        let state = self.seen(order_id)?.state;
        Ok(state.map(Order::rehydrate).ok_or(OrderNotFound(order_id))?)
    }

    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        update_mut(order)
    }

    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation> {
        outbox_muts(order)
    }
}

impl PostgresStore {
    /// The order after a plan that changes one.
    fn changed(&self, mutation: &Mutation) -> Result<Option<OrderState>, CommitError> {
        let away = |StoreUnavailable| unfit("the order of a plan was not read");
        match mutation {
            Mutation::InsertOrder(state) => match self.seen(state.order_id).map_err(away)?.state {
                None => Ok(Some(*state)),
                Some(_) => Err(unfit(format!("there is an order {} already", state.order_id))),
            },
            Mutation::UpdateOrder(update) => {
                let before = self.seen(update.order_id).map_err(away)?.state;
                let after = before.and_then(|before| update.applied_to(&before));
                after.map(Some).ok_or_else(|| unfit(format!("order {} is at another version", update.order_id)))
            }
            Mutation::InsertOutbox(_) | Mutation::InsertCommand(_) | Mutation::Decide(_) => Ok(None),
        }
    }
}

impl PlanStore for PostgresStore {
    fn stage(&mut self, plan: &Plan) -> Result<Staged, CommitError> {
        let lsn = self.batch.get_mut().next_plan();
        let mut touched = None;
        for mutation in plan.mutations() {
            let changed = self.changed(mutation)?;
            let batch = self.batch.get_mut();
            if let Some(state) = changed {
                batch.set(state);
                touched = Some(state);
            }
            match mutation {
                Mutation::InsertOrder(_) | Mutation::UpdateOrder(_) => {}
                Mutation::InsertOutbox(entry) => batch.publish(entry).map_err(|error| unfit(error.to_string()))?,
                Mutation::InsertCommand(command) => {
                    let order = touched.ok_or_else(|| unfit("a command without an order"))?;
                    let (command_id, fingerprint) = (command.command_id, command.fingerprint);
                    batch.commands.insert(command_id, Some(RememberedCommand { fingerprint, order, lsn }));
                    let (order_id, version) = (order.order_id, order.version);
                    batch.stored_commands.push(StoredCommand { command_id, fingerprint, order_id, version });
                }
                Mutation::Decide(decision) => {
                    let plan = batch.plans;
                    batch.note_decision(decision);
                    self.mirror.stage(lsn, decision);
                    self.staged.push(StagedDecision { ticket: None, plan, decision: Arc::clone(decision) });
                }
            }
        }
        Ok(Staged { lsn, order: touched })
    }

    fn stage_decisions(&mut self, ticket: Option<u64>, decisions: Vec<Decision>) -> Result<Vec<Lsn>, CommitError> {
        let first = self.staged.len();
        let lsns = Plan::of_decisions(decisions).iter().map(|plan| self.stage(plan).map(|staged| staged.lsn)).collect();
        for staged in self.staged.iter_mut().skip(first) {
            staged.ticket = ticket;
        }
        lsns
    }

    fn load(&mut self, requests: &[Envelope]) -> Result<(), StoreUnavailable> {
        if requests.is_empty() {
            return Ok(());
        }
        match self.read(requests) {
            Ok(head) => {
                self.follow(head);
                Ok(())
            }
            Err(error) => {
                if error.ends_connection() {
                    self.link.get_mut().after(&error);
                } else {
                    tracing::error!(%error, "what is stored cannot be read");
                }
                Err(StoreUnavailable)
            }
        }
    }

    fn commit(&mut self) -> Result<Committed, CommitError> {
        let batch = std::mem::take(self.batch.get_mut());
        if batch.plans == 0 {
            return Ok(Committed::AS_STAGED);
        }
        let sent = self.send(&batch);
        if sent.is_err() {
            self.give_up();
        }
        sent
    }

    fn note_new(&mut self, order_id: OrderId) {
        self.batch.get_mut().orders.insert(order_id, SeenOrder::of(None));
    }

    fn check(&self, change: &ChangeRequest) -> Result<(), &'static str> {
        let metadata = change.context.as_ref().and_then(|context| context.metadata.as_deref());
        if metadata.is_some_and(order_row::has_nul_escape) {
            return Err("metadata: PostgreSQL cannot hold U+0000 (\\u0000); leave it out");
        }
        match &change.command {
            Command::Cancel { reason: Some(reason), .. } if reason.as_str().contains('\0') => {
                Err("reason: PostgreSQL cannot hold U+0000; leave it out")
            }
            Command::Cancel { .. } | Command::Place { .. } | Command::Complete { .. } => Ok(()),
        }
    }

    fn staged_bytes(&self) -> usize {
        self.batch.borrow().bytes
    }

    fn make_room(&mut self) -> Result<Room, CommitError> {
        self.poll();
        self.check_history()?;
        Ok(Room::ForAll)
    }

    fn remembered(&self, command_id: CommandId) -> Result<Option<RememberedCommand>, StoreUnavailable> {
        if let Some(known) = self.batch.borrow().commands.get(&command_id) {
            return Ok(*known);
        }
        self.ask(|connection| {
            let rows = connection.query("find_commands", &[&[command_id.uuid()].as_slice()])?;
            rows.first().map(remembered_command).transpose()
        })
    }

    fn durable_lsn(&self) -> Lsn {
        self.head.last_lsn
    }

    fn orders_count(&self) -> u64 {
        self.head.orders_count.saturating_add(self.batch.borrow().placed)
    }

    fn last_sequence(&self) -> Sequence {
        self.head.last_sequence.plus(self.batch.borrow().events.ids.len() as u64)
    }

    fn epoch(&self) -> u32 {
        self.head.epoch
    }

    fn order_lsn(&self, order_id: OrderId) -> Result<Option<Lsn>, StoreUnavailable> {
        self.ask(|connection| {
            let rows = connection.query("find_order_lsn", &[&order_id.uuid()])?;
            rows.first().map(|row| unsigned(row, 0).map(Lsn)).transpose()
        })
    }

    fn sink(&self, name: &str) -> Option<&SinkRecord> {
        self.mirror.state().sink(name)
    }

    fn sinks(&self) -> Vec<&SinkRecord> {
        self.mirror.state().sinks().collect()
    }

    fn inbox(&self, sink: &str) -> Option<&Arc<DecisionInbox>> {
        self.inboxes.get(sink)
    }

    fn retry(&self, sink: &str) -> Result<(), StoreUnavailable> {
        if self.is_relayed_elsewhere(sink) {
            return self.ask(|connection| connection.query("ask_retry", &[&sink]).map(drop));
        }
        self.inboxes.get(sink).into_iter().for_each(|inbox| inbox.put([DecisionNews::Retry]));
        Ok(())
    }

    fn history(&self) -> Arc<dyn EventHistory> {
        Arc::clone(&self.history) as Arc<dyn EventHistory>
    }

    fn status(&self) -> StoreStatus {
        let journal =
            JournalStatus { durable_lsn: self.head.last_lsn, checkpoint_lsn: Lsn::ZERO, bytes: 0, segments: 0 };
        StoreStatus {
            condition: if self.link.borrow().is_up() { StoreCondition::Ready } else { StoreCondition::Unavailable },
            journal,
            orders_count: self.head.orders_count,
            last_sequence: self.head.last_sequence,
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.link.get_mut().close();
        Ok(())
    }
}
