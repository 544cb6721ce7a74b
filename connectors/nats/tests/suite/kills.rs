//! Kills of everybody, under load.

use orderd_sink_testing::{
    FakeDaemon, Program, RealDaemon, check_arrivals, kill_all_under_load, kill_under_load, kills,
};

use crate::setup::{BINARY, Nats};

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_store_nothing_twice_inside_the_window() {
    let mut daemon = FakeDaemon::start();
    let mut nats = Nats::start(daemon.dir());
    nats.create_stream();
    let keys = nats.keys();
    let connector = |daemon: &FakeDaemon| Program::start(BINARY, daemon, &keys);
    let published = kill_under_load(&mut daemon, connector, || nats.server.start_again(), kills(20));
    let stored = nats.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert_eq!(twice, 0);
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_store_nothing_twice_inside_the_window() {
    let mut daemon = RealDaemon::start("");
    let mut nats = Nats::start(daemon.dir());
    nats.create_stream();
    let (kills, keys) = (kills(20), nats.keys());
    let connector =
        |daemon: &RealDaemon| Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &keys, &[]);
    let published = kill_all_under_load(&mut daemon, connector, || nats.server.start_again(), kills);
    let stored = nats.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert_eq!(twice, 0);
}
