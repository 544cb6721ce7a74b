//! What is in the table.

use orderd_sink_testing::scenarios::large_events_take_little_memory;
use orderd_sink_testing::{event_with, orders};

use crate::support::{inbox, schema, start};

#[test]
fn a_row_is_the_event_byte_for_byte_with_its_parts_in_columns() {
    let (daemon, server, _program) = start("");
    let line = event_with(7, 1, 3, r#""traceparent":"00-ab-cd-01","#, r#","metadata":{"ä": 1.50,"nul":"\u0000"}"#);
    daemon.publish([line.clone()]);
    daemon.wait_delivered(1);
    assert_eq!(server.sql("SELECT event FROM orderd_inbox"), line);
    let columns = "sequence, order_id, order_version, type, time AT TIME ZONE 'UTC', event_id";
    assert_eq!(
        server.sql(&format!("SELECT {columns} FROM orderd_inbox")),
        "7|01890a5d-ac96-774b-8000-000000000001|3|OrderCancelled|2026-11-18 11:06:43.000001|4e842ec4-5204-5e1f-0003-000000000001"
    );
}

#[test]
fn a_batch_is_one_transaction_with_its_progress() {
    let (daemon, server, _program) = start("");
    daemon.publish(orders(200));
    daemon.wait_delivered(600);
    assert_eq!(server.count(), 600);
    assert_eq!(server.sql("SELECT sink, sequence, events_total FROM orderd_inbox_progress"), "sink|600|600");
    let transactions: usize = server.sql("SELECT count(DISTINCT xmin::text) FROM orderd_inbox").parse().unwrap();
    assert!(transactions < 100, "{transactions} transactions for 600 events");
}

#[test]
fn a_replay_adds_only_what_is_missing() {
    let (daemon, server, _program) = start("");
    daemon.publish(orders(10));
    daemon.wait_delivered(30);
    server.sql("DELETE FROM orderd_inbox WHERE sequence IN (3, 17)");
    daemon.replay("r-1", orders(10));
    daemon.wait_delivered(60);
    assert_eq!(server.count(), 30);
    assert_eq!(server.sql("SELECT events_total FROM orderd_inbox_progress"), "32");
}

#[test]
fn the_table_of_progress_may_be_left_out() {
    let (daemon, server, program) = start("");
    server.sql("DROP TABLE orderd_inbox_progress");
    daemon.publish(orders(2));
    daemon.wait_delivered(6);
    assert!(program.log().contains("going without"), "{}", program.log());
    // It is written again when it is there at the next connection.
    server.sql(&schema());
    server.go_away("fast");
    server.come_back();
    daemon.replay("r-1", orders(2));
    daemon.wait_delivered(12);
    assert_eq!(server.sql("SELECT events_total FROM orderd_inbox_progress"), "0");
    assert_eq!(server.count(), 6);
}

#[test]
fn a_session_that_would_not_wait_for_the_disk_is_made_to() {
    let (daemon, server, _program) = start("");
    server.sql("ALTER ROLE orderd SET synchronous_commit = off");
    server.sql(
        "CREATE TABLE seen (setting text); \
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$; \
         CREATE TRIGGER see BEFORE INSERT ON orderd_inbox FOR EACH ROW EXECUTE FUNCTION see()",
    );
    daemon.publish(orders(1));
    daemon.wait_delivered(3);
    assert_eq!(server.sql("SELECT DISTINCT setting FROM seen"), "on");
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    large_events_take_little_memory(&inbox(), "");
}
