//! The consumer's inbox of SCHEMA.sql: each event once, an order's events in order.

use super::plans::{Step, event_id, order_id};
use super::session::{Database, Session};
use super::storing::wait_until_blocked;

const FOREIGN_KEY: &str = "23503";

#[test]
fn a_redelivered_event_is_handled_once() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("CREATE TABLE payouts (order_id uuid, cents bigint)");
    for _ in 0..3 {
        handle(&mut session, Step::Placed);
        handle(&mut session, Step::Completed);
    }
    assert_eq!(session.value("SELECT count(*) FROM payouts"), "2", "one a new event");
    // Another handler in the same database has an inbox of its own.
    assert_eq!(session.changed(&consume("mailer", 1, Step::Placed)), 1);
}

#[test]
fn two_deliveries_at_once_are_handled_once() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    first.rows("BEGIN");
    assert_eq!(first.changed(&consume("payouts", 1, Step::Placed)), 1);
    let pid = second.backend_pid();
    second.send(&consume("payouts", 1, Step::Placed));
    wait_until_blocked(&mut first, &pid);
    first.rows("COMMIT");
    assert_eq!(second.outcome_changed(), 0);
    assert_eq!(first.value("SELECT count(*) FROM processed_events"), "1");
}

/// The handler failed after the insert: nothing is remembered, and the next delivery is new.
#[test]
fn an_event_whose_handler_failed_is_handled_again() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("BEGIN");
    assert_eq!(session.changed(&consume("payouts", 1, Step::Placed)), 1);
    session.rows("ROLLBACK");
    assert_eq!(session.changed(&consume("payouts", 1, Step::Placed)), 1);
}

#[test]
fn an_event_before_its_predecessor_is_refused() {
    let database = Database::create();
    let mut session = database.session();
    assert_eq!(session.changed(&consume("payouts", 1, Step::Placed)), 1);
    let cancelled = consume("payouts", 1, Step::CancelledFromCompleted);
    session.refused(FOREIGN_KEY, "processed_events_in_order", &cancelled);
    assert_eq!(session.changed(&consume("payouts", 1, Step::Completed)), 1);
    assert_eq!(session.changed(&cancelled), 1, "delivered again behind its predecessor, it is taken");
}

#[test]
fn a_purge_of_the_inbox_takes_whole_orders_that_are_long_over() {
    let database = Database::create();
    let mut session = database.session();
    for (order, life) in [
        (1, &[Step::Placed, Step::Completed, Step::CancelledFromCompleted][..]),
        (2, &[Step::Placed, Step::Completed]),
        (3, &[Step::Placed, Step::CancelledFromPlaced]),
    ] {
        for step in life {
            session.rows(&consume("payouts", order, *step));
        }
    }
    let old = format!(
        "UPDATE processed_events SET processed_at = processed_at - interval '91 days' WHERE order_id <> '{}'",
        order_id(3)
    );
    session.rows(&old);
    assert_eq!(session.changed("EXECUTE purge_inbox('90 days')"), 3, "order 1");
    assert_eq!(session.value("SELECT count(DISTINCT order_id) FROM processed_events"), "2");
}

/// One delivery as SCHEMA.sql prescribes it: the inbox and the effect in one transaction.
#[track_caller]
fn handle(session: &mut Session, step: Step) {
    session.rows("BEGIN");
    if session.changed(&consume("payouts", 1, step)) == 1 {
        session.rows(&format!("INSERT INTO payouts VALUES ('{}', 1999)", order_id(1)));
    }
    session.rows("COMMIT");
}

fn consume(consumer: &str, order: u32, step: Step) -> String {
    format!(
        "EXECUTE consume('{consumer}', '{}', '{}', {}, '{}')",
        event_id(order, step.version()),
        order_id(order),
        step.version(),
        step.event_type()
    )
}
