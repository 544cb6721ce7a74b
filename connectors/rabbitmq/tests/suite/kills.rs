//! Kills of the connector and of the server under load.

use orderd_sink_testing::{FakeDaemon, Program, check_arrivals, kill_under_load, kills};

use crate::setup::{BINARY, RabbitMq};

#[test]
fn kills_of_connector_and_server_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    const IN_FLIGHT_MAX: usize = 64;
    let daemon = FakeDaemon::start();
    let mut rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    let keys = rabbitmq.keys() + &format!("in_flight_max = {IN_FLIGHT_MAX}\n");
    // A start of this server takes seconds.
    let kills = kills(4);
    let published =
        kill_under_load(&daemon, || Program::start(BINARY, &daemon, &keys), || rabbitmq.server.start_again(), kills);
    let stored = rabbitmq.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 2 * kills * IN_FLIGHT_MAX, "{twice} of {}", published.len());
}
