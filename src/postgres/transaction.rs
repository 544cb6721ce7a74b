//! One batch as one transaction: SCHEMA.sql says in which order, and why.

use uuid::Uuid;

use super::DatabaseError;
use super::batch::{Batch, EventColumns};
use super::connection::Step;
use super::decisions::DecisionRows;
use super::executor_link::Writer;
use super::mirror::Head;
use super::order_row::{bigint, integer};
use super::statements::{BEGIN, COMMIT};

/// A sink whose relay decided something, with the epochs of sink and store: the transaction fails if they are others.
pub(super) type Fence = (String, i64, i64);

/// What a transaction stores.
pub(super) struct Stored<'a> {
    pub batch: &'a Batch,
    pub decisions: &'a DecisionRows,
    pub fences: &'a [Fence],
    /// The last decision that the decisions rest on.
    pub seen_decision: i64,
    pub source: &'a str,
    /// Names this daemon's process.
    pub instance: &'a str,
}

/// Stores a batch; gives the head as it was before.
pub(super) fn store(writer: &mut Writer, stored: &Stored<'_>) -> Result<Head, DatabaseError> {
    let Stored { batch, decisions, fences, seen_decision, source, .. } = stored;
    writer.batch = writer.batch.saturating_add(1);
    let (placed, changed) = batch.order_columns();
    let commands = CommandColumns::of(batch);
    let (plans, new_orders) = (bigint(batch.plans), bigint(batch.placed));
    let EventColumns { plans: places, ids, orders, versions, types, data, traceparents, tracestates } = &batch.events;

    let mut steps = vec![step(BEGIN, vec![]), step("take_turn", vec![&writer.id])];
    steps.extend(fences.iter().map(|(sink, epoch, store_epoch)| step("fence", vec![sink, epoch, store_epoch])));
    steps.extend(decisions.steps());
    if !changed.ids.is_empty() {
        steps.push(step("lock_orders", vec![&changed.ids]));
    }
    if !placed.ids.is_empty() {
        let p = &placed;
        let times: [super::connection::Param<'_>; 3] = [&p.placed_at, &p.completed_at, &p.cancelled_at];
        let mut params: Vec<super::connection::Param<'_>> =
            vec![&p.ids, &p.customers, &p.amounts, &p.statuses, &p.versions];
        params.extend(times);
        steps.push(step("place_orders", params));
    }
    if !changed.ids.is_empty() {
        let c = &changed;
        let params: Vec<super::connection::Param<'_>> =
            vec![&c.ids, &c.from_versions, &c.versions, &c.statuses, &c.completed_at, &c.cancelled_at];
        steps.push(step("change_orders", params));
    }
    if !commands.ids.is_empty() {
        let c = &commands;
        steps.push(step("store_commands", vec![&c.ids, &c.fingerprints, &c.orders, &c.versions]));
    }
    steps.push(step("wake_relays", vec![&stored.instance]));
    if !decisions.is_empty() {
        steps.push(step("same_decisions", vec![seen_decision]));
    }
    let head_at = steps.len();
    let params: Vec<super::connection::Param<'_>> = vec![
        &writer.id,
        &writer.batch,
        &plans,
        &new_orders,
        places,
        ids,
        orders,
        versions,
        types,
        source,
        data,
        traceparents,
        tracestates,
    ];
    steps.push(step("store_plans", params));
    if !decisions.is_empty() {
        steps.push(decisions.last_step(&plans));
    }
    steps.push(step(COMMIT, vec![]));
    let rows = writer.connection.pipeline(&steps)?;
    let head = rows.get(head_at).and_then(|rows| rows.first());
    Head::of(head.ok_or_else(|| super::order_row::out_of_range("head"))?)
}

const fn step<'a>(name: &'static str, params: Vec<super::connection::Param<'a>>) -> Step<'a> {
    Step { name, params }
}

/// Commands, column by column.
#[derive(Default)]
struct CommandColumns {
    ids: Vec<Uuid>,
    fingerprints: Vec<Uuid>,
    orders: Vec<Uuid>,
    versions: Vec<i32>,
}

impl CommandColumns {
    fn of(batch: &Batch) -> Self {
        let mut columns = Self::default();
        for command in &batch.stored_commands {
            columns.ids.push(command.command_id.uuid());
            columns.fingerprints.push(command.fingerprint.0);
            columns.orders.push(command.order_id.uuid());
            columns.versions.push(integer(command.version));
        }
        columns
    }
}
