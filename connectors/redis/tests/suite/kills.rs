//! Kills of everybody, under load.

use orderd_sink_testing::{
    FakeDaemon, Program, RealDaemon, check_arrivals, kill_all_under_load, kill_under_load, kills,
};

use crate::setup::{BINARY, Redis};

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_add_nothing_twice() {
    let mut daemon = FakeDaemon::start();
    let mut redis = Redis::start(daemon.dir());
    let keys = redis.keys();
    let published = kill_under_load(
        &mut daemon,
        |daemon| Program::start(BINARY, daemon, &keys),
        || redis.server.start_again(),
        kills(20),
    );
    let stored = redis.stored();
    assert_eq!(check_arrivals(&published, stored.iter().map(Vec::as_slice)), 0);
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_add_nothing_twice() {
    let mut daemon = RealDaemon::start("");
    let mut redis = Redis::start(daemon.dir());
    let (kills, keys) = (kills(20), redis.keys());
    let connector =
        |daemon: &RealDaemon| Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &keys, &[]);
    let published = kill_all_under_load(&mut daemon, connector, || redis.server.start_again(), kills);
    let stored = redis.stored();
    let twice = check_arrivals(&published, stored.iter().map(Vec::as_slice));
    assert_eq!(twice, 0);
}
