//! Reads back what was brought, all of it, and compares it with the journal.

use super::copy::{commands, index};
use super::journal_store::{JournalStore, Plans};
use crate::app::AppError;
use crate::contracts::{FeedPosition, Lsn, OrderRow, RememberedCommand, SinkRecord};
use crate::postgres::{BroughtHead, Counts, Migration, SinkProgress};

/// Compares everything; gives how much there is.
pub(super) fn verify(journal: &JournalStore, migration: &mut Migration, rows_max: usize) -> Result<Counts, AppError> {
    let counts = migration.counts()?;
    same("the number of rows", &counts, &expected_counts(journal))?;
    verify_orders(journal, migration, rows_max)?;
    verify_commands(journal, migration, rows_max)?;
    verify_plans(journal, migration, rows_max)?;
    verify_delivery(journal, migration)?;
    Ok(counts)
}

fn expected_counts(journal: &JournalStore) -> Counts {
    let (state, held) = (journal.state(), journal.held());
    let sinks = || state.delivery.sinks();
    Counts {
        orders: state.orders.count() as u64,
        events: held.events,
        commands: state.commands.end().saturating_sub(state.commands.start()),
        decisions: held.decisions,
        sinks: sinks().count() as u64,
        lanes: sinks().map(|record| record.lanes.len() as u64).sum(),
        parked_events: sinks().map(|record| record.parked_events).sum(),
    }
}

fn verify_orders(journal: &JournalStore, migration: &mut Migration, rows_max: usize) -> Result<(), AppError> {
    let mut done = 0;
    loop {
        let rows: Vec<OrderRow> = journal.state().orders.rows(index(done), rows_max).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = rows.iter().map(|row| row.state.order_id).collect();
        let there = migration.orders(&ids)?;
        for row in &rows {
            same(&format!("order {}", row.state.order_id), &there.get(&row.state.order_id), &Some(row))?;
        }
        done += rows.len() as u64;
    }
}

fn verify_commands(journal: &JournalStore, migration: &mut Migration, rows_max: usize) -> Result<(), AppError> {
    let mut done = 0;
    loop {
        let entries = commands(journal, done, rows_max)?;
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = entries.iter().map(|(_, command)| command.command_id).collect();
        let there = migration.commands(&ids)?;
        for (_, command) in &entries {
            let known = journal.state().remembered(command.command_id);
            let is = there.get(&command.command_id);
            same::<Option<&RememberedCommand>>(&format!("command {}", command.command_id), &is, &known.as_ref())?;
        }
        done += entries.len() as u64;
    }
}

fn verify_plans(journal: &JournalStore, migration: &mut Migration, rows_max: usize) -> Result<(), AppError> {
    let (mut after, last) = (Lsn::ZERO, journal.identity().last_lsn);
    while after < last {
        let Plans { events, decisions, last: reached } = journal.plans_after(after, rows_max)?;
        if let Some((_, first)) = events.first() {
            let there = migration.events(first.sequence, events.len())?;
            for (expected, number) in events.iter().zip(0_usize..) {
                same(&format!("event {}", expected.1.sequence), &there.get(number), &Some(expected))?;
            }
        }
        let there = migration.decisions(after, decisions.len())?;
        for ((lsn, expected), number) in decisions.iter().zip(0_usize..) {
            let there = there.get(number).map(|(lsn, decision)| (*lsn, decision));
            same(&format!("the decision of plan {lsn}"), &there, &Some((*lsn, &**expected)))?;
        }
        after = reached;
    }
    Ok(())
}

fn verify_delivery(journal: &JournalStore, migration: &mut Migration) -> Result<(), AppError> {
    let (state, identity) = (journal.state(), journal.identity());
    let (delivery, head) = migration.delivery()?;
    let expected = BroughtHead {
        last_lsn: identity.last_lsn,
        last_sequence: identity.last_sequence,
        epoch: state.delivery.epoch(),
        orders: state.orders.count() as u64,
        last_decision: journal.held().last_decision,
    };
    same("the head", &head, &expected)?;
    for record in state.delivery.sinks() {
        let there = delivery.sink(&record.name).map(comparable);
        same(&format!("sink {}", record.name), &there, &Some(comparable(record)))?;
    }
    for progress in journal.progress() {
        let SinkProgress { sink, position, details, .. } = progress;
        let (at, saved) = migration.progress(progress)?;
        // Where a journal's feed finds it again is nothing to a database.
        let place = FeedPosition { place: at.place, ..*position };
        same(&format!("where sink {sink} is"), &(at, &saved), &(place, details))?;
    }
    Ok(())
}

/// A database holds no U+0000 in a reason.
fn comparable(record: &SinkRecord) -> SinkRecord {
    let mut record = record.clone();
    for lane in record.lanes.values_mut() {
        lane.reason = lane.reason.replace('\0', "\u{FFFD}").into();
    }
    record
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, expected: &T) -> Result<(), AppError> {
    if is == expected {
        return Ok(());
    }
    tracing::debug!(?is, ?expected, what, "differs");
    Err(AppError::Damaged(format!(
        "{what} is not in the database as the journal has it: {is:?} instead of {expected:?}; empty the database, and \
         migrate again"
    )))
}
