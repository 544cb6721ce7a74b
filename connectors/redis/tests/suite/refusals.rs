//! Answers that waiting does not change.

use orderd_sink_testing::{FakeDaemon, Told, event, event_with};

use crate::setup::Redis;

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn a_key_that_is_not_a_stream_blocks_until_it_is_gone() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["SET", "orders", "x"]);
    let _connector = redis.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("WRONGTYPE"), "{reason}");
    redis.command::<()>(&["DEL", "orders"]);
    daemon.wait_delivered(2);
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. } | Told::Failed { .. })));
}

#[test]
fn a_missing_stream_blocks_if_it_may_not_be_made() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "create_stream = false\n");
    daemon.publish([event(1, 1, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("the stream is missing"), "{reason}");
    redis.command::<()>(&["XGROUP", "CREATE", "orders", "readers", "0", "MKSTREAM"]);
    daemon.wait_delivered(1);
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let daemon = FakeDaemon::start();
    let redis = Redis::with(daemon.dir(), &["--proto-max-bulk-len", "1048576"]);
    let _connector = redis.connector(&daemon, "line_bytes_max = 4000000\n");
    let metadata = format!(r#","metadata":{{"note":"{}"}}"#, "x".repeat(1_100_000));
    let large = event_with(2, 1, 1, "", &metadata);
    daemon.publish([event(1, 2, 1), large, event(3, 3, 1), event(4, 1, 2), event(5, 2, 2)]);
    daemon.wait_delivered(3);
    let told = daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { .. }));
    assert!(matches!(told, Told::Rejected { sequence: 2, .. }), "{told:?}");
    assert_eq!(redis.stored().len(), 3, "the order's later event waits with it");
}
