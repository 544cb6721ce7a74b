//! Compares what a restart found with what must be there.

use std::collections::BTreeSet;

use orderd::config::SinkStart;
use orderd::contracts::{Decision, DecisionKind, EventFeed, Lsn, Mutation, PlanStore, Request, Sequence};
use orderd::domain::{OrderId, OrderState, Timestamp};
use orderd::journal::JournalReader;
use orderd::repo::{DedupEntry, JournalOutbox, PlanRecord};

use crate::daemon::Daemon;
use crate::disk::SimDisk;
use crate::environment::{Options, SOURCE, SinkSetup};
use crate::model::{Expected, Model, PlanFacts};
use crate::sink::{Consumer, look};

/// A command that was sent and not answered: it happened, or it did not.
#[derive(Debug, Clone)]
pub struct Unanswered {
    /// What was asked for.
    pub request: Request,
    /// When.
    pub at: Timestamp,
}

/// What became of the unanswered commands.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// They are in the history.
    pub kept: Vec<Request>,
    /// They are not.
    pub lost: Vec<Request>,
}

/// Takes the plans of unanswered commands that are in the journal into the model, and compares everything.
///
/// # Errors
/// Something is lost, or there that never was.
pub fn judge(model: &mut Model, daemon: &Daemon, unanswered: &[Unanswered]) -> Result<Settled, String> {
    let settled = settle(model, daemon, unanswered)?;
    judge_state(model, daemon)?;
    Ok(settled)
}

/// Plans beyond the certain ones must be those of unanswered commands, in the order in which they were sent.
fn settle(model: &mut Model, daemon: &Daemon, unanswered: &[Unanswered]) -> Result<Settled, String> {
    let last = daemon.executor.store().durable_lsn();
    let certain = model.last_lsn;
    if last < certain {
        return Err(format!("LOST: the journal ends at LSN {last}, and LSN {certain} was answered"));
    }
    let mut settled = Settled::default();
    let mut sent = unanswered.iter();
    let mut reader = JournalReader::new(daemon.files.clone(), certain.next());
    while let Some(frame) = reader.next_frame().map_err(|error| format!("reading back: {error}"))? {
        let stored = PlanRecord::decode(frame.body).map_err(|error| error.to_string())?;
        if let Some(decision) = decision_of(&stored) {
            check_decision(model, decision)?;
            model.decided(decision.clone());
            continue;
        }
        loop {
            let Some(candidate) = sent.next() else {
                return Err(format!("PHANTOM: LSN {} holds a plan that nobody asked for: {stored:?}", frame.lsn));
            };
            let expected = model.expect(&candidate.request, candidate.at, new_order(&stored));
            let plan = expected.into_iter().find_map(|possible| match possible {
                Expected::Change(plan) if is_stored(model, &plan, &stored, frame.lsn) => Some(plan),
                _ => None,
            });
            if let Some(plan) = plan {
                settled.kept.push(candidate.request.clone());
                model.apply(*plan);
                break;
            }
            settled.lost.push(candidate.request.clone());
        }
    }
    settled.lost.extend(sent.map(|candidate| candidate.request.clone()));
    Ok(settled)
}

/// The decision that a plan is, if it is one.
fn decision_of<'a>(stored: &'a PlanRecord<'_>) -> Option<&'a Decision> {
    stored.mutations.iter().find_map(Mutation::decision).map(|decision| &**decision)
}

/// Nothing is decided here but that sinks are registered, each once, and that their snapshots are over, each once.
///
/// # Errors
/// Something else was decided.
pub fn check_decision(model: &Model, decision: &Decision) -> Result<(), String> {
    let is_known = model.decisions.iter().any(|(_, known)| known.sink == decision.sink);
    match decision.kind {
        DecisionKind::Registered(_) if !is_known => Ok(()),
        DecisionKind::SnapshotEnded if model.is_in_snapshot(&decision.sink) => Ok(()),
        DecisionKind::Restored { epoch } if model.was_restored && epoch == model.epoch + 1 => Ok(()),
        _ => Err(format!("PHANTOM: nobody decided {decision:?}")),
    }
}

fn new_order(stored: &PlanRecord<'_>) -> Option<OrderId> {
    stored.mutations.iter().find_map(|mutation| match mutation {
        Mutation::InsertOrder(state) => Some(state.order_id),
        _ => None,
    })
}

/// Whether a stored plan is this one, whole and nothing else.
fn is_stored(model: &Model, plan: &PlanFacts, stored: &PlanRecord<'_>, lsn: Lsn) -> bool {
    let [change, outbox, rest @ ..] = stored.mutations.as_slice() else { return false };
    let changed = match change {
        Mutation::InsertOrder(state) => *state == plan.after && state.version == 1,
        Mutation::UpdateOrder(update) => {
            let before = model.order(update.order_id);
            before
                .is_none_or(|before| before.version >= update.version || update.applied_to(before) == Some(plan.after))
                && update.order_id == plan.after.order_id
                && update.version == plan.after.version
        }
        Mutation::InsertOutbox(_) | Mutation::InsertCommand(_) | Mutation::Decide(_) => false,
    };
    let remembered = match (rest, plan.command) {
        ([], None) => true,
        ([Mutation::InsertCommand(stored)], Some(command)) => (stored.command_id, stored.fingerprint) == command,
        _ => false,
    };
    let announced = matches!(outbox, Mutation::InsertOutbox(entry) if *entry == plan.entry);
    changed && announced && remembered && plan.lsn == lsn && stored.source == SOURCE
}

/// Compares what a start found with a history of which everything is certain.
///
/// # Errors
/// Something is lost, or there that never was.
pub fn judge_state(model: &Model, daemon: &Daemon) -> Result<(), String> {
    let store = daemon.executor.store();
    let state = store.state();
    let plans = model.plans.len() as u64;
    let (last_lsn, last_sequence) = (store.durable_lsn().0, state.last_sequence.0);
    let certain = model.last_lsn;
    if last_lsn < certain.0 {
        return Err(format!("LOST: the journal ends at LSN {last_lsn}, and LSN {certain} was answered"));
    }
    if (last_lsn, last_sequence) != (certain.0, plans) {
        return Err(format!("LSN {certain} and {plans} events, but the last are {last_lsn} and {last_sequence}"));
    }
    if model.was_restored {
        return Err("the store was restored, and it does not say so".to_owned());
    }
    let of_sinks = model.decisions.iter().filter(|(_, decision)| !decision.sink.is_empty());
    let names: BTreeSet<_> = of_sinks.map(|(_, decision)| &decision.sink).collect();
    if !state.delivery.sinks().map(|sink| &sink.name).eq(names.iter().copied()) {
        return Err(format!("the sinks {names:?} were registered, and the store has other ones"));
    }
    if let Some(sink) = state.delivery.sinks().find(|sink| sink.snapshot_running != model.is_in_snapshot(&sink.name)) {
        return Err(format!("the snapshot of sink {} is not where it was", sink.name));
    }
    if !state.orders.rows(0, usize::MAX).map(|row| row.state).eq(model.orders.iter().copied()) {
        let (found, wanted) = (state.orders.count(), model.orders.len());
        let other = state
            .orders
            .rows(0, usize::MAX)
            .map(|row| row.state)
            .zip(&model.orders)
            .find(|(found, wanted)| found != *wanted);
        return Err(format!("{found} orders, expected {wanted}; the first other one: {other:?}"));
    }
    let remembered = model.remembered();
    if state.commands.end() - state.commands.start() != remembered.len() as u64 {
        let found = state.commands.end() - state.commands.start();
        return Err(format!("{found} commands are remembered, not {}", remembered.len()));
    }
    for (command_id, index) in remembered {
        let facts = &model.plans[*index];
        let found = store.remembered(*command_id).ok().flatten();
        let right = found.is_some_and(|found| {
            facts.command == Some((*command_id, found.fingerprint))
                && found.order == facts.after
                && found.lsn == facts.lsn
        });
        if !right {
            return Err(format!("command {command_id} is remembered as {found:?}, not as {facts:?}"));
        }
    }
    Ok(())
}

/// Reads every frame that is still there and compares it with the history.
///
/// # Errors
/// A frame holds something else.
pub fn audit(model: &Model, daemon: &Daemon) -> Result<u64, String> {
    let oldest = daemon.files.index.oldest().ok_or("there is no segment")?;
    let mut reader = JournalReader::new(daemon.files.clone(), oldest);
    let mut next = oldest;
    let mut frames = 0;
    while let Some(frame) = reader.next_frame().map_err(|error| format!("audit: {error}"))? {
        let stored = PlanRecord::decode(frame.body).map_err(|error| error.to_string())?;
        if let Some(decision) = decision_of(&stored) {
            if frame.lsn != next || !model.decisions.contains(&(next, decision.clone())) {
                return Err(format!("PHANTOM: LSN {next} holds {decision:?}"));
            }
            next = next.next();
            continue;
        }
        let index = usize::try_from(stored.first_sequence.0 - 1).map_err(|error| error.to_string())?;
        let facts = model.plans.get(index).ok_or_else(|| format!("PHANTOM: LSN {}", frame.lsn))?;
        if frame.lsn != next || !is_stored(model, facts, &stored, frame.lsn) {
            return Err(format!("LSN {next} holds {stored:?}, not {facts:?}"));
        }
        next = next.next();
        frames += 1;
    }
    if next != model.last_lsn.next() {
        return Err(format!("LOST: the journal reads up to {next}, and LSN {} is certain", model.last_lsn));
    }
    // The outbox as a new sink would read it.
    let last = daemon.executor.store().state().last_sequence;
    let beginning = JournalOutbox::beginning(daemon.files.clone(), last).map_err(|error| error.to_string())?;
    let sequence = daemon.executor.store().durable_sequence();
    let outbox = JournalOutbox::open(daemon.files.clone(), sequence.clone(), beginning);
    let mut outbox = outbox.map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    outbox.read(usize::MAX / 2, &mut events).map_err(|error| error.to_string())?;
    if events.len() as u64 != frames {
        return Err(format!("{} events in {frames} plans", events.len()));
    }
    Ok(frames)
}

/// Checks what the sinks saw: nothing that is not in the history, nothing other than it is there, and no more again
/// than a restart may bring.
///
/// # Errors
/// A promise is broken.
pub fn judge_sinks(model: &Model, sinks: &[SinkSetup]) -> Result<(), String> {
    for sink in sinks {
        let consumer = look(&sink.consumer);
        let name = &sink.name;
        if let Some(violation) = consumer.violations.first() {
            return Err(format!("sink {name}: {violation}"));
        }
        if consumer.last() > model.plans.len() as u64 {
            let (last, plans) = (consumer.last(), model.plans.len());
            return Err(format!("PHANTOM: sink {name} saw event {last}, and there are {plans}"));
        }
        judge_rows(model, sink, &consumer)?;
        let first = usize::try_from(consumer.base).unwrap_or(usize::MAX).min(model.plans.len());
        for (seen, plan) in consumer.seen.iter().zip(&model.plans[first..]).skip(consumer.checked) {
            if **seen != *plan.line {
                let (seen, line) = (String::from_utf8_lossy(seen), String::from_utf8_lossy(&plan.line));
                return Err(format!("sink {name} saw {seen}, and the journal has {line}"));
            }
        }
        let (seen, rows) = (consumer.seen.len(), consumer.rows.len());
        drop(consumer);
        let mut consumer = look(&sink.consumer);
        (consumer.checked, consumer.checked_rows) = (seen, rows);
    }
    Ok(())
}

/// A snapshot shows the orders as of its position, each once, and all of them before the first live event.
fn judge_rows(model: &Model, sink: &SinkSetup, consumer: &Consumer) -> Result<(), String> {
    let is_new = consumer.rows.len() > consumer.checked_rows || (consumer.checked == 0 && !consumer.seen.is_empty());
    if sink.start != SinkStart::Snapshot || !is_new {
        return Ok(());
    }
    let (name, orders) = (&sink.name, model.orders_as_of(consumer.base));
    for (row, order) in consumer.rows.iter().zip(&orders).skip(consumer.checked_rows) {
        let line = model.snapshot_line(order, consumer.base);
        if **row != *line {
            let (seen, line) = (String::from_utf8_lossy(row), String::from_utf8_lossy(&line));
            return Err(format!("sink {name} saw {seen}, and the order was {line}"));
        }
    }
    let (rows, count) = (consumer.rows.len(), orders.len());
    if rows > count || (rows < count && !consumer.seen.is_empty()) {
        return Err(format!("sink {name} saw {rows} of {count} orders before the first live event"));
    }
    Ok(())
}

/// Checks where the cursors stood at a start.
///
/// # Errors
/// A cursor is ahead of its sink, or too far behind.
pub fn judge_cursors(daemon: &Daemon, sinks: &[SinkSetup], options: &Options) -> Result<(), String> {
    let lag_max = options.cursor_events_max.max(1) - 1 + options.batch_events_max as u64;
    for (sink, snapshot) in sinks.iter().zip(&daemon.snapshots) {
        let consumer = look(&sink.consumer);
        let (name, seen, acknowledged) = (&sink.name, consumer.rows.len() as u64, consumer.rows_acknowledged);
        let Some(snapshot) = snapshot else { continue };
        let rows = snapshot.rows;
        if rows > acknowledged || rows + lag_max < seen {
            return Err(format!(
                "the cursor of {name} stands at row {rows}; the sink acknowledged {acknowledged} and saw {seen}"
            ));
        }
    }
    for (sink, position) in sinks.iter().zip(&daemon.positions) {
        let consumer = look(&sink.consumer);
        let (name, at) = (&sink.name, position.sequence.0);
        if at > consumer.acknowledged.max(consumer.base) {
            let acknowledged = consumer.acknowledged;
            return Err(format!("the cursor of {name} stands at {at}, and the sink acknowledged {acknowledged}"));
        }
        if at + lag_max < consumer.last() {
            let last = consumer.last();
            return Err(format!("the cursor of {name} stands at {at}: more than {lag_max} before {last}"));
        }
    }
    Ok(())
}

/// Checks where the cursors stand after a daemon that was stopped and said that all is saved.
///
/// # Errors
/// A cursor does not stand where its sink does.
pub fn judge_stop(daemon: &Daemon, sinks: &[SinkSetup]) -> Result<(), String> {
    for (sink, position) in sinks.iter().zip(&daemon.positions) {
        let consumer = look(&sink.consumer);
        if position.sequence.0 != consumer.run_acknowledged.max(consumer.base) {
            let (at, acknowledged) = (position.sequence, consumer.run_acknowledged);
            return Err(format!("stopped, and the cursor of {} stands at {at} of {acknowledged}", sink.name));
        }
    }
    Ok(())
}

/// What a start came to: the same disk comes to the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    disk: u64,
    orders: Vec<OrderState>,
    commands: Vec<DedupEntry>,
    last_sequence: Sequence,
}

impl Found {
    /// By a daemon that has just started on `disk`.
    #[must_use]
    pub fn by(daemon: &Daemon, disk: &SimDisk) -> Self {
        let state = daemon.executor.store().state();
        Self {
            disk: disk.fingerprint(),
            orders: state.orders.rows(0, usize::MAX).map(|row| row.state).collect(),
            commands: state.commands.copy(0, usize::MAX).0,
            last_sequence: state.last_sequence,
        }
    }
}
