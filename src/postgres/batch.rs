//! One batch: what was read for it, what its plans made of that, and the rows that they add up to.

use std::collections::HashMap;

use uuid::Uuid;

use super::event_row::data;
use super::order_row::{bigint, integer};
use crate::contracts::{Decision, Fingerprint, Lsn, OutboxEntry, RememberedCommand};
use crate::domain::{CommandId, OrderId, OrderState};

/// Plans are staged as if they came after this one; no store ever gets there.
pub(super) const STAGED_AFTER: Lsn = Lsn(1 << 63);

/// An order as the batch sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenOrder {
    /// The version that is stored; 0 if none is.
    pub stored_version: u32,
    /// What it is now; `None` if there is no such order.
    pub state: Option<OrderState>,
}

impl SeenOrder {
    /// As it was found.
    pub(super) fn of(found: Option<OrderState>) -> Self {
        Self { stored_version: found.as_ref().map_or(0, |state| state.version), state: found }
    }
}

/// A batch on its way.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub orders: HashMap<OrderId, SeenOrder>,
    pub commands: HashMap<CommandId, Option<RememberedCommand>>,
    /// Orders that were changed, in the order of their first change.
    pub changed: Vec<OrderId>,
    pub stored_commands: Vec<StoredCommand>,
    pub events: EventColumns,
    pub plans: u64,
    pub placed: u64,
    /// About what all of it takes.
    pub bytes: usize,
}

/// A command that is to be remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredCommand {
    pub command_id: CommandId,
    pub fingerprint: Fingerprint,
    pub order_id: OrderId,
    pub version: u32,
}

/// Outbox entries, column by column.
#[derive(Debug, Default)]
pub(super) struct EventColumns {
    pub plans: Vec<i64>,
    pub ids: Vec<Uuid>,
    pub orders: Vec<Uuid>,
    pub versions: Vec<i32>,
    pub types: Vec<&'static str>,
    pub data: Vec<String>,
    pub traceparents: Vec<Option<String>>,
    pub tracestates: Vec<Option<String>>,
}

impl Batch {
    /// The provisional place of the next plan.
    pub(super) fn next_plan(&mut self) -> Lsn {
        self.plans = self.plans.saturating_add(1);
        STAGED_AFTER.plus(self.plans)
    }

    /// Notes what a plan made of an order.
    pub(super) fn set(&mut self, state: OrderState) {
        const ORDER_BYTES: usize = 100;
        let seen = self.orders.entry(state.order_id).or_insert(SeenOrder { stored_version: 0, state: None });
        if seen.state.is_none() {
            self.placed = self.placed.saturating_add(1);
        }
        if seen.state.is_none_or(|before| before.version == seen.stored_version) {
            self.changed.push(state.order_id);
        }
        seen.state = Some(state);
        self.bytes = self.bytes.saturating_add(ORDER_BYTES);
    }

    /// Adds an entry of the plan that was numbered last.
    pub(super) fn publish(&mut self, entry: &OutboxEntry) -> Result<(), serde_json::Error> {
        const ENTRY_BYTES: usize = 100;
        let data = data(entry)?;
        let context = entry.context.as_deref();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let columns = &mut self.events;
        self.bytes = self.bytes.saturating_add(data.len()).saturating_add(ENTRY_BYTES);
        columns.plans.push(bigint(self.plans));
        columns.ids.push(entry.id.uuid());
        columns.orders.push(entry.event.order_id().uuid());
        columns.versions.push(integer(entry.order_version));
        columns.types.push(entry.event.event_type());
        columns.data.push(data);
        columns.traceparents.push(owned(context.and_then(|context| context.traceparent.as_deref())));
        columns.tracestates.push(owned(context.and_then(|context| context.tracestate.as_deref())));
        Ok(())
    }

    /// Counts a decision in.
    pub(super) fn note_decision(&mut self, decision: &Decision) {
        const DECISION_BYTES: usize = 500;
        self.bytes = self.bytes.saturating_add(DECISION_BYTES).saturating_add(decision.reason.len());
    }

    /// The changed orders in the order of their ids: new ones, and those that are stored with the version that is.
    pub(super) fn order_columns(&self) -> (OrderColumns, OrderColumns) {
        let (mut placed, mut changed) = (OrderColumns::default(), OrderColumns::default());
        let mut orders = self.changed.clone();
        orders.sort_unstable();
        for seen in orders.iter().filter_map(|order_id| self.orders.get(order_id)) {
            let Some(state) = &seen.state else { continue };
            if seen.stored_version == 0 { placed.push(seen, state) } else { changed.push(seen, state) }
        }
        (placed, changed)
    }
}

/// Orders, column by column.
#[derive(Debug, Default)]
pub(super) struct OrderColumns {
    pub ids: Vec<Uuid>,
    pub customers: Vec<Uuid>,
    pub amounts: Vec<i64>,
    pub statuses: Vec<&'static str>,
    pub from_versions: Vec<i32>,
    pub versions: Vec<i32>,
    pub placed_at: Vec<String>,
    pub completed_at: Vec<Option<String>>,
    pub cancelled_at: Vec<Option<String>>,
}

impl OrderColumns {
    pub(super) fn push(&mut self, seen: &SeenOrder, state: &OrderState) {
        self.ids.push(state.order_id.uuid());
        self.customers.push(state.customer_id.uuid());
        self.amounts.push(bigint(state.total_amount.get()));
        self.statuses.push(state.status.as_str());
        self.from_versions.push(integer(seen.stored_version));
        self.versions.push(integer(state.version));
        self.placed_at.push(state.placed_at.to_string());
        self.completed_at.push(state.completed_at.map(|time| time.to_string()));
        self.cancelled_at.push(state.cancelled_at.map(|time| time.to_string()));
    }
}
