//! The outbox's partitions: made ahead, dropped behind the slowest sink.

use super::plans::{Step, commit, order_id, place, sequences};
use super::relaying::{claim, register};
use super::session::{Database, Session};

#[test]
fn partitions_go_when_every_sink_has_passed_them() {
    let database = Database::with_small_partitions();
    let mut session = database.session();
    place(&mut session, 1..=35);
    for sink in ["fast", "slow"] {
        register(&mut session, sink, 0);
        claim(&mut session, sink, "a", 60_000);
    }
    session.rows("EXECUTE move_cursor('fast', 1, 35, '', 1, 0, '', NULL, 1)");
    session.rows("EXECUTE move_cursor('slow', 1, 19, '', 1, 0, '', NULL, 1)");
    assert_eq!(drop_partitions(&mut session, 0), 1, "the slow sink has still to read 20");
    assert_eq!(session.value("SELECT min(sequence) FROM outbox"), "11");
    session.rows("EXECUTE move_cursor('slow', 1, 35, '', 1, 0, '', NULL, 1)");
    assert_eq!(drop_partitions(&mut session, 20), 0, "the last 20 are kept");
    assert_eq!(drop_partitions(&mut session, 0), 2);
    // What is unique stays unique, and a new sink begins at what there is.
    session.refused("23505", "transitions_pkey", &super::plans::store_events(&[(1, Step::Placed)]));
    assert_eq!(session.rows("EXECUTE outbox_bounds"), [["31", "35"]]);
    let traced = session.rows(&format!("EXECUTE trace_order('{}')", order_id(1)));
    assert_eq!(traced[0][1..3], ["1", ""], "known, and gone");
}

#[test]
fn partitions_are_made_ahead_of_the_events() {
    let database = Database::with_small_partitions();
    let mut session = database.session();
    place(&mut session, 1..=15);
    assert_eq!(session.value("SELECT add_outbox_partitions(100)"), "2");
    assert_eq!(session.value("SELECT add_outbox_partitions(100)"), "0");
    let bases = session.rows("SELECT outbox_partitions()");
    assert_eq!(sequences(&bases), (1..=111).step_by(10).collect::<Vec<_>>());
}

/// A reader that is in the middle holds up the drop, which gives way; commits go on beside both functions.
#[test]
fn a_drop_that_would_have_to_wait_gives_way() {
    let database = Database::with_small_partitions();
    let (mut session, mut reader) = (database.session(), database.session());
    place(&mut session, 1..=15);
    register(&mut session, "audit", 15);
    reader.rows("BEGIN");
    reader.rows("EXECUTE read_events(0, 1)");
    session.rows("SET lock_timeout = '50ms'");
    session.refused("55P03", "lock timeout", "SELECT drop_outbox_partitions(0)");
    assert_eq!(commit(&mut session, 16, Step::Placed), 16);
    assert_eq!(session.value("SELECT add_outbox_partitions(200)"), "12");
    reader.rows("COMMIT");
    assert_eq!(drop_partitions(&mut session, 0), 1);
}

/// What a daemon's role needs: no DDL, and of the functions those two.
#[test]
fn a_role_without_ddl_makes_and_drops_partitions() {
    let database = Database::with_small_partitions();
    let mut session = database.session();
    session.rows("CREATE ROLE daemon; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO daemon");
    session.rows("SET ROLE daemon");
    session.refused("42501", "permission denied", "SELECT add_outbox_partitions(200)");
    session.refused("42501", "must be owner", "DROP TABLE outbox_00000000000000000001");
    session.rows("RESET ROLE; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO daemon; SET ROLE daemon");
    assert_eq!(session.value("SELECT add_outbox_partitions(200)"), "10");
    place(&mut session, 1..=15);
    register(&mut session, "audit", 15);
    assert_eq!(drop_partitions(&mut session, 0), 1);
}

#[track_caller]
fn drop_partitions(session: &mut Session, retained: u32) -> u64 {
    session.value(&format!("SELECT drop_outbox_partitions({retained})")).parse().expect("a count")
}
