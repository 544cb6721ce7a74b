//! Answers that waiting does not change.

use async_nats::jetstream::stream::Config;
use orderd_sink_testing::{FakeDaemon, Told, event, event_with};

use crate::setup::{Nats, orders};

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn a_missing_stream_blocks_until_it_is_there() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("ORDERS") && reason.contains("not found"), "{reason}");
    nats.create_stream();
    daemon.wait_delivered(2);
    // The stream goes while we are connected.
    let context = nats.context();
    nats.run(async { context.delete_stream("ORDERS").await.unwrap() });
    let before = daemon.told().len();
    daemon.publish([event(3, 3, 1)]);
    orderd_sink_testing::eventually("blocked again", || daemon.told()[before..].iter().any(is_blocked).then_some(()));
    nats.create_stream();
    daemon.wait_delivered(3);
}

#[test]
fn a_subject_that_no_stream_or_another_stream_takes_blocks() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    let context = nats.context();
    nats.create_stream_as(&context, Config { subjects: vec!["other".to_owned()], ..orders() });
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("no stream takes the subject orders.OrderPlaced"), "{reason}");
    nats.create_stream_as(&context, Config { name: "ELSEWHERE".to_owned(), ..orders() });
    daemon.wait_told("the other stream", |told| {
        matches!(told, Told::Unavailable { blocked: true, reason, .. } if reason.contains("expected stream does not match"))
    });
    nats.run(async {
        context.delete_stream("ELSEWHERE").await.unwrap();
        context.update_stream(orders()).await.unwrap();
    });
    daemon.wait_delivered(1);
}

#[test]
fn no_jetstream_blocks() {
    let daemon = FakeDaemon::start();
    let nats = Nats::with(daemon.dir(), "accounts { A { users: [ { user: a, password: b } ] } }\nno_auth_user: a");
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.to_ascii_lowercase().contains("jetstream"), "{reason}");
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let metadata = format!(r#","metadata":{{"note":"{}"}}"#, "x".repeat(3_000));
    let large = |sequence| event_with(sequence, 1, 1, "", &metadata);
    for (server, stream) in [("max_payload: 2000", orders()), ("", Config { max_message_size: 2_000, ..orders() })] {
        let daemon = FakeDaemon::start();
        let nats = Nats::with(daemon.dir(), server);
        nats.create_stream_as(&nats.context(), stream);
        let _connector = nats.connector(&daemon, "");
        daemon.publish([event(1, 2, 1), large(2), event(3, 3, 1), event(4, 1, 2), event(5, 2, 2)]);
        daemon.wait_delivered(3);
        let told = daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { .. }));
        assert!(matches!(told, Told::Rejected { sequence: 2, .. }), "{told:?}");
        assert_eq!(nats.stored().len(), 3, "the order's later event waits with it");
    }
}

#[test]
fn a_duplicate_window_that_is_shorter_than_a_restart_is_warned_of() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    let window = std::time::Duration::from_secs(5);
    nats.create_stream_as(&nats.context(), Config { duplicate_window: window, ..orders() });
    let connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    let log = connector.log();
    assert!(log.contains("duplicate_window_ms=5000") && log.contains("WARN"), "{log}");
}
