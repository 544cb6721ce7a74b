//! Kills of the connector and of the server under load.

use orderd_sink_testing::{FakeDaemon, check_arrivals, kill_under_load, kills};

use crate::setup::Nats;

#[test]
fn kills_of_connector_and_server_lose_nothing_and_store_nothing_twice_inside_the_window() {
    let daemon = FakeDaemon::start();
    let mut nats = Nats::start(daemon.dir());
    nats.create_stream();
    let keys = nats.keys();
    let connector = || orderd_sink_testing::Program::start(crate::setup::BINARY, &daemon, &keys);
    let published = kill_under_load(&daemon, connector, || nats.server.start_again(), kills(20));
    let stored = nats.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert_eq!(twice, 0);
}
