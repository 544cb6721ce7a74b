//! What arrives, and how.

use orderd_sink_testing::scenarios::{
    everything_arrives_once, large_events_take_little_memory, the_official_sdk_reads,
};
use orderd_sink_testing::{FakeDaemon, Target as _, event};

use crate::setup::RabbitMq;

#[test]
fn every_event_arrives_once_in_order_persistent_and_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    for message in everything_arrives_once(&RabbitMq::with_queue(dir.path())) {
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        let kind = event["type"].as_str().unwrap();
        assert_eq!(Some(message.id()), event["id"].as_str());
        assert_eq!(message.routing_key, format!("orders.{kind}"));
        assert_eq!(*message.properties.delivery_mode(), Some(2));
        assert_eq!(message.properties.kind().as_ref().unwrap().as_str(), kind);
    }
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    large_events_take_little_memory(&RabbitMq::with_queue(dir.path()), "");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk() {
    let dir = tempfile::tempdir().unwrap();
    the_official_sdk_reads(&RabbitMq::with_queue(dir.path()), "rabbitmq", &["structured", "binary"], "ce-");
}

#[test]
fn a_replay_is_marked() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::with_queue(daemon.dir());
    let _connector = rabbitmq.connector(&daemon, "");
    daemon.replay("replay-7", [event(1, 1, 1)]);
    daemon.wait_delivered(1);
    assert_eq!(rabbitmq.stored()[0].headers(), [("orderd-replay".to_owned(), "replay-7".to_owned())]);
}
