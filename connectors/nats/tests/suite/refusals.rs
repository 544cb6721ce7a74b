//! Answers that waiting does not change.

use async_nats::jetstream::stream::Config;
use orderd_sink_testing::scenarios::a_too_large_event_is_rejected_alone;
use orderd_sink_testing::{FakeDaemon, Target as _, Told, event};

use crate::setup::{Nats, orders};

#[test]
fn a_missing_stream_blocks_until_it_is_there() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("ORDERS") && reason.contains("not found"), "{reason}");
    nats.create_stream();
    daemon.wait_delivered(2);
    // The stream goes while we are connected.
    let context = nats.context();
    nats.run(async { context.delete_stream("ORDERS").await.unwrap() });
    daemon.wait_told_after("blocked again", || daemon.publish([event(3, 3, 1)]), Told::is_blocked);
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
    let reason = daemon.wait_blocked();
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
    let reason = daemon.wait_blocked();
    assert!(reason.to_ascii_lowercase().contains("jetstream"), "{reason}");
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    for (server, stream) in [("max_payload: 2000", orders()), ("", Config { max_message_size: 2_000, ..orders() })] {
        let dir = tempfile::tempdir().unwrap();
        let nats = Nats::with(dir.path(), server);
        nats.create_stream_as(&nats.context(), stream);
        a_too_large_event_is_rejected_alone(&nats, "", 3_000);
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
