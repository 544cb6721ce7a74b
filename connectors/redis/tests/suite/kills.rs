//! Kills of the connector and of the server under load.

use orderd_sink_testing::{FakeDaemon, Program, check_arrivals, kill_under_load, kills};

use crate::setup::{BINARY, Redis};

#[test]
fn kills_of_connector_and_server_lose_nothing_and_add_nothing_twice() {
    let daemon = FakeDaemon::start();
    let mut redis = Redis::start(daemon.dir());
    let keys = redis.keys();
    let published =
        kill_under_load(&daemon, || Program::start(BINARY, &daemon, &keys), || redis.server.start_again(), kills(20));
    let stored = redis.stored();
    assert_eq!(check_arrivals(&published, stored.iter().map(Vec::as_slice)), 0);
}
