//! With the real daemon.

use orderd_sink_testing::scenarios::{blocked_parks_nothing_and_rejected_parks_one_order, the_official_sdk_reads};
use orderd_sink_testing::{Home, RealDaemon, Target as _, check_arrivals};
use serde_json::json;

use crate::support::inbox;

#[test]
fn a_row_is_read_by_the_official_sdk() {
    the_official_sdk_reads(&inbox(), "kafka", &["structured"], "ce_");
}

#[test]
fn a_missing_table_parks_nothing_and_an_event_that_breaks_a_constraint_parks_its_order_alone() {
    let daemon = RealDaemon::start("");
    let server = inbox();
    server.sql("ALTER TABLE orderd_inbox ADD CHECK (length(event::text) < 4000)");
    server.sql("ALTER TABLE orderd_inbox RENAME TO elsewhere");
    let _program = server.connector(&daemon, "");
    let mend = || drop(server.sql("ALTER TABLE elsewhere RENAME TO orderd_inbox"));
    let lines = blocked_parks_nothing_and_rejected_parks_one_order(&daemon, mend);
    assert_eq!(check_arrivals(&lines, &server.stored()), 0);
}

#[test]
fn a_replay_of_the_daemon_adds_only_what_is_missing() {
    let daemon = RealDaemon::start("");
    let server = inbox();
    let _program = server.connector(&daemon, "");
    daemon.work(20);
    daemon.wait_settled();
    server.sql("DELETE FROM orderd_inbox WHERE sequence BETWEEN 10 AND 14");
    let params = json!({"sink": Home::SINK, "from": 1, "to": 60, "reason": "rows were deleted"});
    let replay = daemon.call("replay.start", &params);
    assert_eq!(replay["events"], 60);
    orderd_sink_testing::eventually("the replay", || {
        let replays = daemon.call("replay.list", &json!({}));
        (replays["replays"][0]["state"] == "done").then_some(())
    });
    assert_eq!(server.count(), 60);
}
