//! What arrives, and how.

use orderd_sink_testing::scenarios::{
    everything_arrives_once, large_events_take_little_memory, the_official_sdk_reads,
};
use orderd_sink_testing::{FakeDaemon, Program, Target as _, event, order_id};

use crate::setup::Redis;

#[test]
fn every_event_is_added_once_in_order_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    everything_arrives_once(&Redis::start(dir.path()));
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    large_events_take_little_memory(&Redis::start(dir.path()), "");
}

#[test]
fn an_entry_is_read_by_the_official_sdk() {
    let dir = tempfile::tempdir().unwrap();
    the_official_sdk_reads(&Redis::start(dir.path()), "kafka", &["structured"], "ce_");
}

#[test]
fn an_event_that_was_added_is_not_added_again_and_a_replay_adds_only_what_is_missing() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    daemon.wait_delivered(2);
    // As if the daemon had never heard of the first deliveries.
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(3);
    daemon.replay("replay-7", [event(1, 1, 1), event(2, 2, 1), event(3, 3, 1)]);
    daemon.wait_delivered(6);
    let stored = redis.stored();
    assert_eq!(stored.len(), 3);
    assert!(String::from_utf8_lossy(&stored[2].0).contains(&order_id(3)));
}

#[test]
fn the_oldest_ids_are_forgotten_first() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "ids_max = 1000\nbatch_events_max = 100\n");
    daemon.publish((1..=1_200).map(|n| event(n, n, 1)));
    daemon.wait_delivered(1_200);
    assert_eq!(redis.command::<u64>(&["ZCARD", "{orders}:orderd-ids"]), 1_000);
    daemon.replay("r", [event(1, 1, 1), event(1_200, 1_200, 1), event(1_000, 1_000, 1)]);
    daemon.wait_delivered(1_203);
    assert_eq!(redis.stored().len(), 1_201, "only the first is added again");
}

#[test]
fn a_stream_with_a_hash_tag_keeps_its_ids_in_its_slot() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let keys = redis.keys().replace("\"orders\"", "\"{shop}:orders\"");
    let _connector = Program::start(Redis::BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    assert_eq!(redis.command::<u64>(&["XLEN", "{shop}:orders"]), 1);
    assert_eq!(redis.command::<u64>(&["ZCARD", "{shop}:orders:orderd-ids"]), 1);
}
