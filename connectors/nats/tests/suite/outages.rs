//! A server that is away, silent or full.

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use orderd_sink_testing::scenarios::a_silent_server_is_waited_for;
use orderd_sink_testing::{FakeDaemon, Program, Target as _, Told, event, free_port};

use crate::setup::{Nats, orders};

#[test]
fn a_server_that_is_away_at_the_start_is_unavailable_and_events_arrive_when_it_comes() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let keys = format!("servers = \"nats://127.0.0.1:{port}\"\nstream = \"ORDERS\"\nsubject = \"orders\"\n");
    let _connector = Program::start(Nats::BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_unavailable();
    let nats = Nats::on(daemon.dir(), port, "");
    let config = Config { subjects: vec!["orders".to_owned()], ..orders() };
    nats.create_stream_as(&nats.context(), config);
    daemon.wait_delivered(1);
}

#[test]
fn a_server_that_does_not_confirm_in_time_is_unavailable_and_nothing_is_stored_twice() {
    let dir = tempfile::tempdir().unwrap();
    let nats = Nats::with_stream(dir.path());
    assert_eq!(a_silent_server_is_waited_for(&nats, &nats.server).len(), 3);
}

#[test]
fn a_full_stream_is_waited_for() {
    let daemon = FakeDaemon::start();
    let nats = Nats::start(daemon.dir());
    let context = nats.context();
    let config = Config { max_messages: 2, discard: DiscardPolicy::New, ..orders() };
    nats.create_stream_as(&context, config);
    let _connector = nats.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1), event(3, 3, 1)]);
    daemon.wait_unavailable();
    nats.run(async { context.get_stream("ORDERS").await.unwrap().purge().await.unwrap() });
    daemon.wait_delivered(3);
    assert!(daemon.told().iter().all(|told| matches!(told, Told::Delivered(_)) || told.is_passing()));
}
