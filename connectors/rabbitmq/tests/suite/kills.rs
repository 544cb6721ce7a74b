//! Kills of everybody, under load.

use orderd_sink_testing::{
    FakeDaemon, Program, RealDaemon, check_arrivals, kill_all_under_load, kill_under_load, kills,
};

use crate::setup::{BINARY, RabbitMq};

#[test]
fn kills_of_connector_server_and_a_scripted_daemon_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    const IN_FLIGHT_MAX: usize = 64;
    let mut daemon = FakeDaemon::start();
    let mut rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    let keys = rabbitmq.keys() + &format!("in_flight_max = {IN_FLIGHT_MAX}\n");
    // A start of this server takes seconds.
    let kills = kills(4);
    let published = kill_under_load(
        &mut daemon,
        |daemon| Program::start(BINARY, daemon, &keys),
        || rabbitmq.server.start_again(),
        kills,
    );
    let stored = rabbitmq.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice} of {}", published.len());
}

#[test]
fn kills_of_daemon_connector_and_server_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let mut daemon = RealDaemon::start("");
    let mut rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    let (kills, keys) = (kills(3), rabbitmq.keys() + "in_flight_max = 64\n");
    let connector =
        |daemon: &RealDaemon| Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &keys, &[]);
    let published = kill_all_under_load(&mut daemon, connector, || rabbitmq.server.start_again(), kills);
    let stored = rabbitmq.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 3 * kills * 64, "{twice} of {}", published.len());
}
