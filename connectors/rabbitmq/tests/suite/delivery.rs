//! What arrives, and how.

use orderd_sink_testing::{FakeDaemon, Received, check_arrivals, check_cloudevents, event, event_with, orders};

use crate::setup::RabbitMq;

const MIB: u64 = 1_024;

#[test]
fn every_event_arrives_once_in_order_persistent_and_byte_for_byte_in_little_memory() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    let connector = rabbitmq.connector(&daemon, "");
    let published = orders(1_000);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = rabbitmq.stored();
    assert_eq!(check_arrivals(&published, stored.iter().map(|message| message.body.as_slice())), 0);
    for message in &stored {
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        let kind = event["type"].as_str().unwrap();
        assert_eq!(Some(message.id()), event["id"].as_str());
        assert_eq!(message.routing_key, format!("orders.{kind}"));
        assert_eq!(*message.properties.delivery_mode(), Some(2));
        assert_eq!(message.properties.kind().as_ref().unwrap().as_str(), kind);
    }
    let resident = connector.resident_kib_max();
    assert!(resident < 64 * MIB, "{resident} KiB");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk_and_a_replay_is_marked() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    for mode in ["structured", "binary"] {
        let mut connector = rabbitmq.connector(&daemon, &format!("content_mode = \"{mode}\"\n"));
        let before = daemon.delivered().len();
        let trace = r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","#;
        let published =
            [event(1, 1, 1), event_with(2, 1, 2, trace, r#","metadata":{"note":"100 % größer €"}"#), event(3, 1, 3)];
        daemon.publish(published.clone());
        daemon.wait_delivered(before + 3);
        let stored = rabbitmq.stored();
        let messages: Vec<_> = stored
            .iter()
            .map(|message| Received {
                headers: message.headers(),
                content_type: message.properties.content_type().as_ref().map(|text| text.as_str().to_owned()),
                body: message.body.clone(),
            })
            .zip(published)
            .collect();
        assert_eq!(messages.len(), 3);
        check_cloudevents("rabbitmq", &messages);
        assert_eq!(messages[0].0.headers.iter().any(|(name, _)| name.starts_with("ce-")), mode == "binary");
        connector.stop();
    }
    let _connector = rabbitmq.connector(&daemon, "");
    daemon.replay("replay-7", [event(1, 1, 1)]);
    daemon.wait_delivered(7);
    assert_eq!(rabbitmq.stored()[0].headers(), [("orderd-replay".to_owned(), "replay-7".to_owned())]);
}
