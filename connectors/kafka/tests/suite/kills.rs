//! Kills of everybody, and brokers that come and go, under load.

use std::time::Duration;

use orderd_sink_testing::{
    FakeDaemon, Program, RealDaemon, check_arrivals, kill_all_under_load, kill_under_load, kills,
};

use crate::setup::{BINARY, Kafka};

#[test]
fn kills_of_connector_and_a_scripted_daemon_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight()
{
    const IN_FLIGHT_MAX: usize = 64;
    let mut daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let keys = kafka.keys() + &format!("in_flight_max = {IN_FLIGHT_MAX}\ntimeout_ms = 2000\n");
    let kills = kills(10);
    let published =
        kill_under_load(&mut daemon, |daemon| Program::start(BINARY, daemon, &keys), outages(&kafka), kills);
    let stored = kafka.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice} of {}", published.len());
}

/// Brokers go one after the other: the leader of every partition is away at some time.
fn outages(kafka: &Kafka) -> impl FnMut() + use<'_> {
    let mut broker = 0;
    move || {
        broker = broker % 3 + 1;
        kafka.cluster.broker_down(broker).unwrap();
        std::thread::park_timeout(Duration::from_millis(300));
        kafka.cluster.broker_up(broker).unwrap();
    }
}

#[test]
fn kills_of_daemon_and_connector_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    let mut daemon = RealDaemon::start("");
    let kafka = Kafka::start();
    let (kills, keys) = (kills(10), kafka.keys() + "in_flight_max = 64\ntimeout_ms = 2000\n");
    let connector =
        |daemon: &RealDaemon| Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &keys, &[]);
    let published = kill_all_under_load(&mut daemon, connector, outages(&kafka), kills);
    let stored = kafka.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 3 * kills * 64, "{twice} of {}", published.len());
}
