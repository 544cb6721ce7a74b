//! Answers that waiting does not change.

use orderd_sink_testing::scenarios::a_too_large_event_is_rejected_alone;
use orderd_sink_testing::{FakeDaemon, Target as _, event};

use crate::setup::Redis;

#[test]
fn a_key_that_is_not_a_stream_blocks_until_it_is_gone() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["SET", "orders", "x"]);
    let _connector = redis.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("WRONGTYPE"), "{reason}");
    redis.command::<()>(&["DEL", "orders"]);
    daemon.wait_delivered(2);
    daemon.assert_nothing_blamed();
}

#[test]
fn a_missing_stream_blocks_if_it_may_not_be_made() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "create_stream = false\n");
    daemon.publish([event(1, 1, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("the stream is missing"), "{reason}");
    redis.command::<()>(&["XGROUP", "CREATE", "orders", "readers", "0", "MKSTREAM"]);
    daemon.wait_delivered(1);
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::with(dir.path(), &["--proto-max-bulk-len", "1048576"]);
    a_too_large_event_is_rejected_alone(&redis, "line_bytes_max = 4000000\n", 1_100_000);
}
