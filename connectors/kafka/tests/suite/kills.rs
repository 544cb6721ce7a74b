//! Kills of the connector, and brokers that come and go, under load.

use orderd_sink_testing::{FakeDaemon, Program, check_arrivals, kill_under_load, kills};

use crate::setup::{BINARY, Kafka};

#[test]
fn kills_of_the_connector_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    const IN_FLIGHT_MAX: usize = 64;
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let keys = kafka.keys() + &format!("in_flight_max = {IN_FLIGHT_MAX}\ntimeout_ms = 2000\n");
    let kills = kills(10);
    let mut broker = 0;
    let outage = || {
        // One after the other: the leader of every partition is away at some time.
        broker = broker % 3 + 1;
        kafka.cluster.broker_down(broker).unwrap();
        std::thread::park_timeout(std::time::Duration::from_millis(300));
        kafka.cluster.broker_up(broker).unwrap();
    };
    let published = kill_under_load(&daemon, || Program::start(BINARY, &daemon, &keys), outage, kills);
    let stored = kafka.stored();
    let twice = check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    assert!(twice <= 2 * kills * IN_FLIGHT_MAX, "{twice} of {}", published.len());
}
