//! What arrives, and how.

use orderd_sink_testing::scenarios::{
    everything_arrives_once, large_events_take_little_memory, the_official_sdk_reads,
};
use orderd_sink_testing::{FakeDaemon, Target as _, event};

use crate::setup::Nats;

#[test]
fn every_event_is_stored_once_in_order_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    for message in everything_arrives_once(&Nats::with_stream(dir.path())) {
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(message.header("Nats-Msg-Id"), event["id"].as_str());
        assert_eq!(message.header("Nats-Expected-Stream"), Some("ORDERS"));
        assert_eq!(message.subject, format!("orders.{}", event["type"].as_str().unwrap()));
    }
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    large_events_take_little_memory(&Nats::with_stream(dir.path()), "");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk() {
    let dir = tempfile::tempdir().unwrap();
    the_official_sdk_reads(&Nats::with_stream(dir.path()), "nats", &["structured", "binary"], "ce-");
}

#[test]
fn a_replay_is_stored_again_though_the_stream_remembers_the_event() {
    let daemon = FakeDaemon::start();
    let nats = Nats::with_stream(daemon.dir());
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    daemon.replay("replay-7", [event(1, 1, 1)]);
    daemon.wait_delivered(2);
    let stored = nats.stored();
    let ids: Vec<_> = stored.iter().filter_map(|message| message.header("Nats-Msg-Id")).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[1], format!("{}/replay-7", ids[0]));
    assert_eq!(stored[0].body, stored[1].body);
}

#[test]
fn what_was_confirmed_before_the_connector_could_say_so_is_not_stored_twice() {
    let daemon = FakeDaemon::start();
    let nats = Nats::with_stream(daemon.dir());
    let _connector = nats.connector(&daemon, "");
    // As if the daemon had never heard of the first delivery.
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    daemon.publish([event(1, 1, 1), event(2, 1, 2)]);
    daemon.wait_delivered(3);
    assert_eq!(nats.stored().len(), 2);
}
