//! The consumer's inbox of SCHEMA.sql: one row per order; each event once, an order's events in order.

use super::concurrency::wait_until_blocked;
use super::plans::order_id;
use super::session::{Database, Session};

#[test]
fn a_redelivered_event_is_handled_once() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("CREATE TABLE payouts (order_id uuid, order_version integer)");
    for _ in 0..3 {
        for version in [1, 2] {
            session.rows("BEGIN");
            if consume(&mut session, "payouts", 1, version) {
                session.rows(&format!("INSERT INTO payouts VALUES ('{}', {version})", order_id(1)));
            }
            session.rows("COMMIT");
        }
    }
    assert_eq!(session.value("SELECT count(*) FROM payouts"), "2", "one per event");
    assert_eq!(session.value("SELECT count(*) FROM inbox"), "1", "one row per order");
    // Another handler in the same database has a version of its own.
    assert!(consume(&mut session, "mailer", 1, 1));
}

#[test]
fn two_deliveries_at_once_are_handled_once() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    for version in [1, 2] {
        first.rows("BEGIN");
        assert!(consume(&mut first, "payouts", 1, version));
        let pid = second.backend_pid();
        second.send(&statement("payouts", 1, version));
        wait_until_blocked(&mut first, &pid);
        first.rows("COMMIT");
        assert_eq!(second.outcome_changed(), 0, "version {version}");
        assert_eq!(last_version(&mut second, 1), Some(version), "a duplicate");
    }
}

/// The handler failed after the insert: nothing is remembered, and the next delivery is new.
#[test]
fn an_event_whose_handler_failed_is_handled_again() {
    let database = Database::create();
    let mut session = database.session();
    session.rows("BEGIN");
    assert!(consume(&mut session, "payouts", 1, 1));
    session.rows("ROLLBACK");
    assert!(consume(&mut session, "payouts", 1, 1));
}

/// The cancellation comes first. It is not handled, and takes nothing of its batch with it.
#[test]
fn an_event_before_its_predecessor_is_put_aside_and_the_batch_goes_on() {
    let database = Database::create();
    let mut session = database.session();
    assert!(consume(&mut session, "payouts", 1, 1));
    session.rows("BEGIN");
    assert!(!consume(&mut session, "payouts", 1, 3), "version 2 is missing");
    assert!(!consume(&mut session, "payouts", 2, 2), "version 1 is missing");
    assert!(consume(&mut session, "payouts", 3, 1), "others do not care");
    session.rows("COMMIT");
    assert_eq!(
        (last_version(&mut session, 1), last_version(&mut session, 2)),
        (Some(1), None),
        "early, not duplicates"
    );
    assert!(consume(&mut session, "payouts", 1, 2));
    assert!(consume(&mut session, "payouts", 1, 3), "delivered again behind its predecessor, it is taken");
}

/// A consumer that starts from a snapshot, or keeps only the newest state.
#[test]
fn a_newer_version_replaces_an_older_one_and_never_the_other_way() {
    let database = Database::create();
    let mut session = database.session();
    let newest = |version: u32| format!("EXECUTE consume_newest('view', '{}', {version})", order_id(1));
    assert_eq!(session.changed(&newest(2)), 1);
    assert_eq!(session.changed(&newest(1)), 0);
    assert_eq!(session.changed(&newest(3)), 1);
    assert!(!consume(&mut session, "view", 1, 3), "what follows a snapshot is counted from it");
}

fn statement(consumer: &str, order: u32, version: u32) -> String {
    format!("EXECUTE consume('{consumer}', '{}', {version})", order_id(order))
}

/// True: the event is the next of its order.
#[track_caller]
fn consume(session: &mut Session, consumer: &str, order: u32, version: u32) -> bool {
    session.changed(&statement(consumer, order, version)) == 1
}

#[track_caller]
fn last_version(session: &mut Session, order: u32) -> Option<u32> {
    let rows = session.rows(&format!("EXECUTE last_version('payouts', '{}')", order_id(order)));
    rows.first().map(|row| row[0].parse().expect("a version"))
}
