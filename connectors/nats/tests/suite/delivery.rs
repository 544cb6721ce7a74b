//! What arrives, and how.

use orderd_sink_testing::{FakeDaemon, Received, check_arrivals, check_cloudevents, event, event_with, orders};

use crate::setup::Nats;

const MIB: u64 = 1_024;

#[test]
fn every_event_is_stored_once_in_order_byte_for_byte_in_little_memory() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    nats.create_stream();
    let connector = nats.connector(&daemon, "");
    let published = orders(1_000);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = nats.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert_eq!(twice, 0);
    for message in &stored {
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(message.header("Nats-Msg-Id"), event["id"].as_str());
        assert_eq!(message.header("Nats-Expected-Stream"), Some("ORDERS"));
        assert_eq!(message.subject, format!("orders.{}", event["type"].as_str().unwrap()));
    }
    let resident = connector.resident_kib_max();
    assert!(resident < 64 * MIB, "{resident} KiB");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk() {
    for mode in ["structured", "binary"] {
        let daemon = FakeDaemon::start();
        let nats = Nats::start(daemon.dir());
        nats.create_stream();
        let _connector = nats.connector(&daemon, &format!("content_mode = \"{mode}\"\n"));
        let trace = r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","#;
        let published =
            [event(1, 1, 1), event_with(2, 1, 2, trace, r#","metadata":{"note":"100 % größer €"}"#), event(3, 1, 3)];
        daemon.publish(published.clone());
        daemon.wait_delivered(3);
        let stored = nats.stored();
        let messages: Vec<_> = stored
            .into_iter()
            .map(|message| Received { headers: message.headers, content_type: None, body: message.body })
            .zip(published)
            .collect();
        assert_eq!(messages.len(), 3);
        check_cloudevents("nats", &messages);
        let has_attributes = messages[0].0.headers.iter().any(|(name, _)| name.starts_with("ce-"));
        assert_eq!(has_attributes, mode == "binary");
    }
}

#[test]
fn a_replay_is_stored_again_though_the_stream_remembers_the_event() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    nats.create_stream();
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
    let nats = Nats::start(daemon.dir());
    nats.create_stream();
    let _connector = nats.connector(&daemon, "");
    // As if the daemon had never heard of the first delivery.
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    daemon.publish([event(1, 1, 1), event(2, 1, 2)]);
    daemon.wait_delivered(3);
    assert_eq!(nats.stored().len(), 2);
}
