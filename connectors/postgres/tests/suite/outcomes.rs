//! Each class of errors, one by one: docs/connectors/postgres.md has the table.

use orderd_sink_testing::{Told, event, orders};

use crate::support::{Server, start};

/// A trigger that raises the error code found in a table.
const FAULTS: &str = "\
CREATE TABLE fault (code text, sequence bigint); \
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ \
DECLARE c text; \
BEGIN \
  SELECT code INTO c FROM fault WHERE sequence IS NULL OR sequence = NEW.sequence; \
  IF c IS NOT NULL THEN RAISE EXCEPTION 'because of this' USING ERRCODE = c; END IF; \
  RETURN NEW; \
END $$; \
CREATE TRIGGER fail BEFORE INSERT ON orderd_inbox FOR EACH ROW EXECUTE FUNCTION fail()";

fn set(server: &Server, code: &str) {
    server.sql(&format!("DELETE FROM fault; INSERT INTO fault VALUES ('{code}')"));
}

#[test]
fn every_class_of_sqlstate_has_its_outcome() {
    let (daemon, server, _program) = start("");
    server.sql(FAULTS);
    let classes: [(&str, &[&str]); 4] = [
        (
            "unavailable",
            &[
                "08006", "53000", "53100", "53200", "53300", "57P01", "57P02", "57P03", "57014", "55P03", "40001",
                "40P01", "25006", "58030", "XX000",
            ],
        ),
        ("blocked", &["28000", "28P01", "3D000", "3F000", "42P01", "42703", "42501", "0A000"]),
        ("rejected", &["22000", "22P02", "22008", "23502", "23505", "23514", "54000"]),
        ("failed", &["P0001", "55000", "25P02", "72000"]),
    ];
    for (sequence, (class, code)) in
        (1..).zip(classes.iter().flat_map(|(class, codes)| codes.iter().map(move |code| (*class, *code))))
    {
        set(&server, code);
        let before = daemon.told().len();
        daemon.publish([event(sequence, sequence, 1)]);
        let told = orderd_sink_testing::eventually(code, || daemon.told().get(before).cloned());
        assert_eq!(told.outcome(), class, "{code}: {told:?}");
        assert_eq!(told.reason(), format!("because of this ({code})"));
        server.sql("DELETE FROM fault");
        // A rejected one stays where it is, everything else goes through now.
        if class != "rejected" {
            daemon.wait_told("the event", |told| *told == Told::Delivered(sequence));
        }
    }
}

#[test]
fn one_event_that_spoils_its_batch_is_rejected_alone() {
    let (daemon, server, _program) = start("");
    let mut events = orders(100);
    // No such day: the database cannot store it.
    events[42] = events[42].replace("2026-11-18T", "2026-02-31T");
    daemon.publish(events);
    // Its order's two later events wait behind it.
    daemon.wait_delivered(297);
    let rejected: Vec<Told> = daemon.told().into_iter().filter(|told| !matches!(told, Told::Delivered(_))).collect();
    assert!(matches!(&rejected[..], [Told::Rejected { sequence: 43, .. }]), "{rejected:?}");
    assert_eq!(server.count(), 297);
}

#[test]
fn one_event_that_fails_leaves_the_others_of_its_batch_alone() {
    let (daemon, server, _program) = start("");
    server.sql(FAULTS);
    server.sql("INSERT INTO fault VALUES ('P0001', 43)");
    daemon.publish(orders(100));
    daemon.wait_delivered(297);
    assert!(daemon.told().iter().all(|told| matches!(told, Told::Delivered(_) | Told::Failed { sequence: 43, .. })));
    server.sql("DELETE FROM fault");
    daemon.wait_delivered(300);
}

#[test]
fn a_server_that_hangs_is_unavailable_and_the_event_is_not_stored_twice() {
    let (daemon, server, _program) = start("timeout_ms = 500");
    daemon.publish(orders(1));
    daemon.wait_delivered(3);
    server.signal_clients(rustix::process::Signal::STOP);
    daemon.publish([event(100, 100, 1)]);
    daemon.wait_unavailable();
    // A new connection has a new process.
    daemon.wait_delivered(4);
    server.signal_clients(rustix::process::Signal::CONT);
    assert_eq!(server.count(), 4);
}

#[test]
fn a_lock_that_is_held_too_long_is_unavailable() {
    let (daemon, server, _program) = start("timeout_ms = 700");
    let lock = "BEGIN; LOCK TABLE orderd_inbox; SELECT pg_sleep(2); COMMIT";
    std::thread::scope(|scope| {
        scope.spawn(|| server.sql(lock));
        orderd_sink_testing::eventually("the lock", || {
            let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'orderd_inbox'::regclass";
            (server.sql(locks) == "1").then_some(())
        });
        daemon.publish(orders(1));
        daemon.wait_unavailable();
    });
    daemon.wait_delivered(3);
    assert_eq!(server.count(), 3);
}
