//! Kills of connector and daemon, and brokers that come and go, under load.

use orderd_sink_testing::{kill_with_real_daemon, kill_with_scripted_daemon, kills};

use crate::setup::{Kafka, apart};

const IN_FLIGHT_MAX: usize = 64;

#[test]
fn kills_of_connector_and_a_scripted_daemon_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight()
{
    apart(
        "kills::kills_of_connector_and_a_scripted_daemon_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight",
        || {
            let kills = kills(10);
            let more = format!("in_flight_max = {IN_FLIGHT_MAX}\ntimeout_ms = 2000\n");
            let twice = kill_with_scripted_daemon(&mut Kafka::start(), &more, kills);
            assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice}");
        },
    );
}

#[test]
fn kills_of_daemon_and_connector_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight() {
    apart(
        "kills::kills_of_daemon_and_connector_and_outages_of_brokers_lose_nothing_and_repeat_at_most_what_was_in_flight",
        || {
            let kills = kills(10);
            let more = format!("in_flight_max = {IN_FLIGHT_MAX}\ntimeout_ms = 2000\n");
            let twice = kill_with_real_daemon(&mut Kafka::start(), &more, kills);
            assert!(twice <= 3 * kills * IN_FLIGHT_MAX, "{twice}");
        },
    );
}
