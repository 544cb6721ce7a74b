//! Several daemons on one database: no deadlock, no gap, no lost update.

use super::plans::{
    CUSTOMER, NOBODY, Step, array, change_order, commit, first_sequence, order_id, place, place_orders, store_events,
};
use super::relaying::{decide, register};
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
    let ids = array(chosen.iter().map(|order| order_id(*order)));
    session.rows(&format!("EXECUTE lock_orders('{ids}')"));
    let found = session.rows(&format!("EXECUTE find_orders('{ids}')"));
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
        session.rows(&change_order(*order, *step));
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
    assert_eq!(first_sequence(&first.rows(&store_events(&[(1, Step::Placed)]))), 1);
    let pid = second.backend_pid();
    second.send(&store_events(&[(2, Step::Placed)]));
    wait_until_blocked(&mut first, &pid);
    first.rows("ROLLBACK");
    assert_eq!(first_sequence(&second.outcome().unwrap()), 1);
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
    let refusal = second.outcome().expect_err("it came second");
    assert!(refusal.sqlstate == "40001" && refusal.message.contains("another version"), "{refusal:?}");
    assert_eq!(second.value("SELECT status FROM orders"), "completed");
}

/// One command, sent through two daemons at once: the second is refused when it has the order's lock, and then finds it.
#[test]
fn a_command_sent_through_two_daemons_is_found_after_the_lock() {
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
    second.outcome().expect("the lock");
    second.refused("40001", "another version", &change_order(1, Step::Completed));
    second.rows("ROLLBACK");
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

/// A COMMIT whose answer was lost: whoever asks waits for it, and what was not committed never is.
#[test]
fn what_became_of_a_writers_batch_is_told_and_then_final() {
    let database = Database::create();
    let (mut writer, mut asker) = (database.session(), database.session());
    let id = order_id(700);
    writer.rows(&format!("EXECUTE add_writer('{id}')"));
    let batch = |order: u32, number: u32| {
        store_events(&[(order, Step::Placed)]).replace(&format!("'{NOBODY}', 1,"), &format!("'{id}', {number},"))
    };
    writer.rows("BEGIN");
    writer.rows(&format!("EXECUTE take_turn('{id}')"));
    writer.rows(&place_orders(&[1]));
    writer.rows(&batch(1, 1));
    let pid = asker.backend_pid();
    asker.send(&format!("EXECUTE remove_writer('{id}')"));
    wait_until_blocked(&mut writer, &pid);
    writer.rows("COMMIT");
    assert_eq!(asker.outcome().unwrap(), [["1", "0"]], "the first batch, after no plan");
    // The connection was alive all the time, and goes on.
    writer.rows("BEGIN");
    writer.refused("OD001", "removed", &format!("EXECUTE take_turn('{id}')"));
    writer.rows("ROLLBACK");
    assert!(asker.rows(&format!("EXECUTE remove_writer('{id}')")).is_empty());
}

/// Two daemons decide about delivery on the same past: the second is to look again.
#[test]
fn a_decision_that_was_made_on_less_than_there_is_is_refused() {
    let database = Database::create();
    let (mut first, mut second) = (database.session(), database.session());
    register(&mut first, "audit", 0);
    for session in [&mut first, &mut second] {
        session.rows("BEGIN");
    }
    first.rows("EXECUTE same_decisions(0)");
    let pid = second.backend_pid();
    second.send("EXECUTE same_decisions(0)");
    wait_until_blocked(&mut first, &pid);
    decide(&mut first, "paused", None, None);
    first.rows("COMMIT");
    let refusal = second.outcome().expect_err("it came second");
    assert!(refusal.sqlstate == "40001" && refusal.message.contains("decided about"), "{refusal:?}");
    second.rows("ROLLBACK");
    assert_eq!(second.value("SELECT last_decision FROM store"), "1");
}

/// Returns when the server says that this connection waits for a lock.
#[track_caller]
pub fn wait_until_blocked(observer: &mut Session, pid: &str) {
    let waits = format!("SELECT cardinality(pg_blocking_pids({pid})) > 0");
    eventually(DEADLINE, "the other session waits for a lock", || observer.value(&waits) == "t");
}
