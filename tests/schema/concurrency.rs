//! Several daemons on one database: no deadlock, no gap, no lost update.

use super::plans::{CUSTOMER, Step, array, change_order, commit, order_id, place, place_orders, store_events};
use super::session::{Database, Session};
use crate::support::{DEADLINE, eventually};

const DAEMONS: u32 = 4;
const BATCHES: u32 = 25;
const CONTESTED: u32 = 12;

/// Batches over the same orders, in every order of decision; every fifth rolls back. Meanwhile a reader looks.
#[test]
fn plans_of_many_daemons_never_deadlock_and_no_reader_sees_a_gap() {
    let database = Database::create();
    let mut reader = database.session();
    place(&mut reader, 1..=CONTESTED);
    let daemons: Vec<_> = (1..=DAEMONS)
        .map(|daemon| {
            let mut session = database.session();
            let run = move || {
                let mut rng = fastrand::Rng::with_seed(u64::from(daemon));
                for batch in 0..BATCHES {
                    run_batch(&mut session, &mut rng, 1000 * daemon + batch);
                }
            };
            std::thread::Builder::new().name(format!("daemon-{daemon}")).spawn(run).expect("a thread")
        })
        .collect();
    let mut looks = 0;
    while !daemons.iter().all(std::thread::JoinHandle::is_finished) {
        let seen = reader.rows("SELECT count(*), coalesce(max(sequence), 0) FROM outbox");
        assert_eq!(seen[0][0], seen[0][1], "whoever sees a sequence sees all before it");
        looks += 1;
    }
    for daemon in daemons {
        daemon.join().expect("no statement was refused: no deadlock, no serialization failure");
    }
    assert!(looks > 10, "{looks} looks");
    let orders = reader.value("SELECT sum(version) FROM orders");
    let events = reader.value("SELECT last_sequence FROM store");
    assert_eq!(
        (&events, &events),
        (&orders, &reader.value("SELECT count(*) FROM transitions")),
        "one event per change"
    );
}

/// What SCHEMA.sql prescribes, for five contested orders and a new one.
fn run_batch(session: &mut Session, rng: &mut fastrand::Rng, new: u32) {
    let mut chosen: Vec<u32> = (1..=CONTESTED).collect();
    rng.shuffle(&mut chosen);
    chosen.truncate(5);
    session.rows("BEGIN");
    let found = session.rows(&format!("EXECUTE lock_orders('{}')", array(chosen.iter().map(|order| order_id(*order)))));
    let mut steps = vec![(new, Step::Placed)];
    for order in chosen {
        let row = found.iter().find(|row| row[0] == order_id(order)).expect("it was placed");
        match (row[3].as_str(), rng.bool()) {
            ("placed", true) => steps.push((order, Step::Completed)),
            ("placed", false) => steps.push((order, Step::CancelledFromPlaced)),
            ("completed", _) => steps.push((order, Step::CancelledFromCompleted)),
            _ => {}
        }
    }
    session.rows(&place_orders(&[new]));
    let id = order_id(new);
    session.rows(&format!("EXECUTE store_commands('{{{id}}}', '{{{CUSTOMER}}}', '{{{id}}}', '{{1}}')"));
    for (order, step) in steps.iter().skip(1) {
        assert_eq!(session.changed(&change_order(*order, *step)), 1, "locked, so still at its version");
    }
    session.rows(&store_events(&steps));
    session.rows(if new.is_multiple_of(5) { "ROLLBACK" } else { "COMMIT" });
}

#[test]
fn a_number_that_is_rolled_back_is_given_to_the_next() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    first.rows(&place_orders(&[1, 2]));
    first.rows("BEGIN");
    assert_eq!(first.rows(&store_events(&[(1, Step::Placed)]))[0][0], "1");
    let pid = second.backend_pid();
    second.send(&store_events(&[(2, Step::Placed)]));
    wait_until_blocked(&mut first, &pid);
    first.rows("ROLLBACK");
    assert_eq!(second.outcome().unwrap()[0][0], "1");
}

#[test]
fn a_change_from_a_version_that_is_gone_changes_nothing() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    commit(&mut first, 1, Step::Placed);
    first.rows("BEGIN");
    first.rows(&change_order(1, Step::Completed));
    // It decided on version 1 as well, without the lock; the version makes it see that it came second.
    let pid = second.backend_pid();
    second.send(&change_order(1, Step::CancelledFromPlaced));
    wait_until_blocked(&mut first, &pid);
    first.rows("COMMIT");
    assert_eq!(second.outcome_changed(), 0);
    assert_eq!(second.value("SELECT status FROM orders"), "completed");
}

/// One command, sent through two daemons at once: the second finds it when it has the order's lock.
#[test]
fn a_command_sent_through_two_daemons_is_found_behind_the_lock() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    commit(&mut first, 1, Step::Placed);
    let (order, command) = (order_id(1), order_id(101));
    first.rows("BEGIN");
    first.rows(&format!("EXECUTE lock_orders('{{{order}}}')"));
    second.rows("BEGIN");
    let pid = second.backend_pid();
    second.send(&format!("EXECUTE lock_orders('{{{order}}}')"));
    wait_until_blocked(&mut first, &pid);
    first.rows(&format!("EXECUTE store_commands('{{{command}}}', '{{{CUSTOMER}}}', '{{{order}}}', '{{2}}')"));
    first.rows(&change_order(1, Step::Completed));
    first.rows(&store_events(&[(1, Step::Completed)]));
    first.rows("COMMIT");
    assert_eq!(second.outcome().unwrap()[0][3], "completed", "as it is now, not as it was when this one began");
    assert_eq!(second.rows(&format!("EXECUTE find_commands('{{{command}}}')")).len(), 1);
}

/// The reason for `idle_in_transaction_session_timeout`: the locks of a client that hangs.
#[test]
fn a_client_that_hangs_inside_a_transaction_is_cut_off() {
    let database = Database::create();
    let (mut hanging, mut other) = (database.session(), database.session());
    commit(&mut other, 1, Step::Placed);
    hanging.rows("EXECUTE session('10s', '10s', '100ms')");
    hanging.rows("BEGIN");
    hanging.rows(&change_order(1, Step::Completed));
    hanging.rows(&store_events(&[(1, Step::Completed)]));
    assert_eq!(commit(&mut other, 2, Step::Placed), 2, "its locks are gone, and its number is given back");
}

/// Returns when the server says that this connection waits for a lock.
#[track_caller]
pub fn wait_until_blocked(observer: &mut Session, pid: &str) {
    let waits = format!("SELECT cardinality(pg_blocking_pids({pid})) > 0");
    eventually(DEADLINE, "the other session waits for a lock", || observer.value(&waits) == "t");
}
