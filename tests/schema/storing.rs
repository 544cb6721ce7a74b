//! What SCHEMA.sql stores, what it refuses, and what a transaction takes back.

use serde_json::{Value, json};

use super::plans::{CUSTOMER, Step, change_order, commit, event_id, order_id, store_event, store_event_as};
use super::session::{Database, Session};
use crate::support::{DEADLINE, eventually};

const CHECK: &str = "23514";
const UNIQUE: &str = "23505";

#[test]
fn every_life_of_an_order_fits_the_schema() {
    let database = Database::create();
    let mut session = database.session();
    let lives: [&[Step]; 3] = [
        &[Step::Placed, Step::Completed],
        &[Step::Placed, Step::CancelledFromPlaced],
        &[Step::Placed, Step::Completed, Step::CancelledFromCompleted],
    ];
    let mut last = 0;
    for (order, life) in (1..).zip(lives) {
        for step in life {
            last += 1;
            assert_eq!(commit(&mut session, order, *step), last, "{step:?}");
        }
    }
}

#[test]
fn an_order_that_the_domain_cannot_hold_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    // total_amount, status, version, placed_at, completed_at, cancelled_at
    let refused = [
        ("orders_total_amount", "-1, 'placed', 1, '2026-01-01Z', NULL, NULL"),
        ("orders_total_amount", "9007199254740992, 'placed', 1, '2026-01-01Z', NULL, NULL"),
        ("orders_status", "1, 'shipped', 1, '2026-01-01Z', NULL, NULL"),
        ("orders_times_fit_status", "1, 'placed', 2, '2026-01-01Z', '2026-01-02Z', NULL"),
        ("orders_times_fit_status", "1, 'placed', 2, '2026-01-01Z', NULL, '2026-01-02Z'"),
        ("orders_times_fit_status", "1, 'completed', 1, '2026-01-01Z', NULL, NULL"),
        ("orders_times_fit_status", "1, 'completed', 3, '2026-01-01Z', '2026-01-02Z', '2026-01-03Z'"),
        ("orders_times_fit_status", "1, 'cancelled', 1, '2026-01-01Z', NULL, NULL"),
        ("orders_version", "1, 'placed', 0, '2026-01-01Z', NULL, NULL"),
        ("orders_version", "1, 'placed', 2, '2026-01-01Z', NULL, NULL"),
        ("orders_version", "1, 'cancelled', 3, '2026-01-01Z', NULL, '2026-01-02Z'"),
        ("orders_times_run_forwards", "1, 'completed', 2, '2026-01-02Z', '2026-01-01Z', NULL"),
        ("orders_times_run_forwards", "1, 'cancelled', 3, '2026-01-01Z', '2026-01-03Z', '2026-01-02Z'"),
    ];
    for (constraint, values) in refused {
        let insert = format!("INSERT INTO orders VALUES ('{}', '{CUSTOMER}', {values})", order_id(1));
        session.refused(CHECK, constraint, &insert);
    }
    let edges = ["0, 'placed', 1, '2026-01-01Z'", "9007199254740991, 'completed', 2, '2026-01-01Z', '2026-01-01Z'"];
    for (order, values) in (1..).zip(edges) {
        session.rows(&format!("INSERT INTO orders VALUES ('{}', '{CUSTOMER}', {values})", order_id(order)));
    }
}

#[test]
fn an_event_that_the_domain_cannot_raise_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    session.rows(&change_order(1, Step::Placed));

    let mut data_refused = |constraint: &str, step: Step, change: &dyn Fn(&mut Value)| {
        let mut data = step.data(1);
        change(&mut data);
        let sql = store_event_as(&event_id(1, step.version()), 1, step, &step.time(), &data);
        session.refused(CHECK, constraint, &sql);
    };
    data_refused("outbox_data", Step::Placed, &|data| data["order_id"] = json!(order_id(2)));
    data_refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!(-1));
    data_refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!(1_u64 << 53));
    data_refused("outbox_data", Step::Placed, &|data| data["total_amount"] = json!("1999"));
    for field in ["order_id", "customer_id", "total_amount", "placed_at"] {
        data_refused("outbox_data", Step::Placed, &|data| {
            data.as_object_mut().unwrap().remove(field);
        });
    }
    let cancelled = Step::CancelledFromPlaced;
    data_refused("outbox_cancellation", cancelled, &|data| data["cancelled_from"] = json!("completed"));
    data_refused("outbox_cancellation", cancelled, &|data| data["reason"] = json!("ü".repeat(501)));
    data_refused("outbox_cancellation", cancelled, &|data| data["reason"] = json!(7));
    data_refused("outbox_cancellation", cancelled, &|data| {
        data.as_object_mut().unwrap().remove("reason");
    });

    let (placed, completed) = (store_event(1, Step::Placed), store_event(1, Step::Completed));
    session.refused(CHECK, "outbox_version_fits_type", &placed.replace(", 1, 'OrderPlaced'", ", 2, 'OrderPlaced'"));
    session.refused(CHECK, "outbox_version_fits_type", &completed.replace(", 2, 'Order", ", 3, 'Order"));
    session.refused(CHECK, "outbox_data", &placed.replace("'OrderPlaced'", "'OrderShipped'"));
    session.refused("23503", "outbox_order", &store_event(2, Step::Placed));

    let mut longest = cancelled.data(1);
    longest["reason"] = json!("ü".repeat(500));
    session.rows(&store_event_as(&event_id(1, 2), 1, cancelled, &cancelled.time(), &longest));
}

/// The time that is stored is the transition's: a clock read while storing is refused.
#[test]
fn an_event_with_another_time_than_its_transition_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    session.rows(&change_order(1, Step::Placed));
    let later = "2026-01-01T00:00:01.000002Z";
    let sql = store_event_as(&event_id(1, 1), 1, Step::Placed, later, &Step::Placed.data(1));
    session.refused(CHECK, "outbox_data", &sql);
}

#[test]
fn the_same_event_is_stored_once() {
    let database = Database::create();
    let mut session = database.session();
    commit(&mut session, 1, Step::Placed);

    session.refused(UNIQUE, "outbox_event_once", &store_event(1, Step::Placed));
    // Another id does not make it another event: the transition is the same.
    let twin = store_event_as(&event_id(1, 9), 1, Step::Placed, &Step::Placed.time(), &Step::Placed.data(1));
    session.refused(UNIQUE, "outbox_transition_once", &twin);
    let random = twin.replace("-5000-", "-4000-");
    session.refused(CHECK, "outbox_event_id_is_derived", &random);

    assert_eq!(session.value("SELECT count(*) FROM outbox"), "1");
    assert_eq!(commit(&mut session, 2, Step::Placed), 2, "a refused event uses no sequence");
}

#[test]
fn a_refused_event_takes_back_the_change_of_its_order() {
    let database = Database::create();
    let mut session = database.session();
    commit(&mut session, 1, Step::Placed);
    session.rows("BEGIN");
    session.rows(&change_order(1, Step::Completed));
    session.refused(UNIQUE, "outbox_event_once", &store_event(1, Step::Placed));
    session.rows("COMMIT");
    assert_eq!(session.value("SELECT status || version FROM orders"), "placed1");
}

#[test]
fn a_change_of_a_version_that_is_gone_changes_nothing() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    commit(&mut first, 1, Step::Placed);
    first.rows("BEGIN");
    first.rows(&change_order(1, Step::Completed));
    first.rows(&store_event(1, Step::Completed));
    // It read version 1 as well; the row lock makes it wait, the version makes it see that it came second.
    second.rows("BEGIN");
    let pid = second.backend_pid();
    second.send(&change_order(1, Step::CancelledFromPlaced));
    wait_until_blocked(&mut first, &pid);
    first.rows("COMMIT");
    assert_eq!(second.outcome_changed(), 0);
    assert_eq!(second.value("SELECT status FROM orders"), "completed");
}

#[test]
fn sequences_have_no_gaps_and_follow_the_commits() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    for order in [1, 2] {
        first.rows(&change_order(order, Step::Placed));
    }
    first.rows("BEGIN");
    assert_eq!(first.value(&store_event(1, Step::Placed)), "1");
    let pid = second.backend_pid();
    second.send(&store_event(2, Step::Placed));
    wait_until_blocked(&mut first, &pid);
    first.rows("ROLLBACK");
    assert_eq!(second.outcome().unwrap(), [["1"]], "the number that was given back");
    assert_eq!(first.value(&store_event(1, Step::Placed)), "2");
    assert_eq!(first.value("SELECT last_sequence FROM outbox_head"), "2");
}

#[test]
fn a_command_is_remembered_once_until_enough_newer_ones_came() {
    let database = Database::create();
    let mut session = database.session();
    let store = |command: u32, order: u32| {
        format!("EXECUTE store_command('{}', '{}', '{}', 1, {order})", order_id(command), CUSTOMER, order_id(order))
    };
    for order in 1..=5 {
        commit(&mut session, order, Step::Placed);
        session.rows(&store(100 + order, order));
    }
    session.refused(UNIQUE, "processed_commands_pkey", &store(103, 3));
    assert_eq!(session.changed("EXECUTE purge_commands(3)"), 2);
    assert_eq!(session.value("SELECT min(sequence) FROM processed_commands"), "3");
    assert_eq!(session.changed("EXECUTE purge_commands(3)"), 0);
}

/// Returns when the server says that this connection waits for a lock.
#[track_caller]
pub fn wait_until_blocked(observer: &mut Session, pid: &str) {
    let waits = format!("SELECT cardinality(pg_blocking_pids({pid})) > 0");
    eventually(DEADLINE, "the other session waits for a lock", || observer.value(&waits) == "t");
}
